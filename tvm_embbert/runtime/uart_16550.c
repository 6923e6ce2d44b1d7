/* A UART that is compatible with the 16550. */
#include "harness_uart.h"

#define UART_REGISTER(index)                                                                       \
  (*(volatile uint8_t *)(HARNESS_UART_BASE + (index) * HARNESS_UART_STRIDE))
#define UART_DATA UART_REGISTER(0u) /* with the divisor's access bit: its low byte */
#define UART_IER UART_REGISTER(1u)  /* with that bit: its high byte */
#define UART_FCR UART_REGISTER(2u)
#define UART_LCR UART_REGISTER(3u)
#define UART_LSR UART_REGISTER(5u)

#define FCR_ENABLE_AND_CLEAR 0x07u
#define LCR_EIGHT_BITS 0x03u
#define LCR_DIVISOR_ACCESS 0x80u
#define LSR_DATA_READY 0x01u
#define LSR_TX_EMPTY 0x20u

#define ROUNDED_DIVISOR                                                                            \
  ((HARNESS_UART_CLOCK_HZ + 8u * HARNESS_UART_BAUD) / (16u * HARNESS_UART_BAUD))
#define DIVISOR (ROUNDED_DIVISOR > 0u ? ROUNDED_DIVISOR : 1u)

void harness_uart_init(void) {
  UART_IER = 0u;
  UART_LCR = LCR_EIGHT_BITS | LCR_DIVISOR_ACCESS;
  UART_DATA = (uint8_t)(DIVISOR & 0xFFu);
  UART_IER = (uint8_t)(DIVISOR >> 8);
  UART_LCR = LCR_EIGHT_BITS;
  UART_FCR = FCR_ENABLE_AND_CLEAR;
}

int32_t harness_uart_read(void) { return (UART_LSR & LSR_DATA_READY) != 0u ? UART_DATA : -1; }

void harness_uart_write(uint8_t byte) {
  while ((UART_LSR & LSR_TX_EMPTY) == 0u) {
  }
  UART_DATA = byte;
}
