/* The console over a UART of CMSIS-Driver, whose calls may wait or return at once. */
#include "app_port.h"
#include "board.h"

#include "Driver_USART.h"

#include <stdbool.h>

/* Number of the driver, and bits in a second. */
#ifndef BOARD_USART
#define BOARD_USART 0
#endif
#ifndef BOARD_BAUD
#define BOARD_BAUD 115200u
#endif

#define DRIVER_OF(number) Driver_USART##number
#define DRIVER(number) DRIVER_OF(number)

extern ARM_DRIVER_USART DRIVER(BOARD_USART);

static ARM_DRIVER_USART *const usart = &DRIVER(BOARD_USART);

/* The byte that the driver was asked for. */
static uint8_t received;
static bool receiving;

void board_open(void) {
  (void)usart->Initialize(NULL);
  (void)usart->PowerControl(ARM_POWER_FULL);
  (void)usart->Control(ARM_USART_MODE_ASYNCHRONOUS | ARM_USART_DATA_BITS_8 | ARM_USART_PARITY_NONE |
                           ARM_USART_STOP_BITS_1 | ARM_USART_FLOW_CONTROL_NONE,
                       BOARD_BAUD);
  (void)usart->Control(ARM_USART_CONTROL_TX, 1u);
  (void)usart->Control(ARM_USART_CONTROL_RX, 1u);
}

int app_port_read(void) {
  if (!receiving) {
    receiving = usart->Receive(&received, 1u) == ARM_DRIVER_OK;
  }
  if (!receiving || usart->GetStatus().rx_busy) {
    return APP_PORT_NOTHING;
  }
  receiving = false;
  return received;
}

void app_port_write(const char *text, size_t size) {
  if (size == 0u || usart->Send(text, (uint32_t)size) != ARM_DRIVER_OK) {
    return;
  }
  while (usart->GetStatus().tx_busy) {
  }
}
