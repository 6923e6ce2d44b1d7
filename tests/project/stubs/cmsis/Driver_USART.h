/* As much of CMSIS-Driver as the port uses, with the values of its version 2. */
#ifndef DRIVER_USART_H
#define DRIVER_USART_H

#include <stddef.h>
#include <stdint.h>

#define ARM_DRIVER_OK 0
#define ARM_DRIVER_ERROR_BUSY (-2)
#define ARM_USART_MODE_ASYNCHRONOUS 0x01UL
#define ARM_USART_CONTROL_TX 0x15UL
#define ARM_USART_CONTROL_RX 0x16UL
#define ARM_USART_DATA_BITS_8 0UL
#define ARM_USART_PARITY_NONE 0UL
#define ARM_USART_STOP_BITS_1 0UL
#define ARM_USART_FLOW_CONTROL_NONE 0UL

typedef enum { ARM_POWER_OFF, ARM_POWER_LOW, ARM_POWER_FULL } ARM_POWER_STATE;

typedef struct {
  uint32_t tx_busy : 1;
  uint32_t rx_busy : 1;
} ARM_USART_STATUS;

typedef void (*ARM_USART_SignalEvent_t)(uint32_t event);

typedef struct {
  int32_t (*Initialize)(ARM_USART_SignalEvent_t event);
  int32_t (*PowerControl)(ARM_POWER_STATE state);
  int32_t (*Send)(const void *data, uint32_t num);
  int32_t (*Receive)(void *data, uint32_t num);
  int32_t (*Control)(uint32_t control, uint32_t arg);
  ARM_USART_STATUS (*GetStatus)(void);
} const ARM_DRIVER_USART;

#endif
