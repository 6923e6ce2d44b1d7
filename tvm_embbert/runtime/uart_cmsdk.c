/* The UART of Arm's Cortex-M System Design Kit, as in the FPGA images of the MPS boards. */
#include "harness_uart.h"

#define UART_REGISTER(offset) (*(volatile uint32_t *)(HARNESS_UART_BASE + (offset)))
#define UART_DATA UART_REGISTER(0x00u)
#define UART_STATE UART_REGISTER(0x04u)
#define UART_CTRL UART_REGISTER(0x08u)
#define UART_BAUDDIV UART_REGISTER(0x10u)

#define STATE_TX_FULL 0x1u
#define STATE_RX_FULL 0x2u
#define CTRL_ENABLE 0x3u /* both directions, no interrupts */

/* The divider takes no less. */
#define LEAST_DIVIDER 16u
#define DIVIDER (HARNESS_UART_CLOCK_HZ / HARNESS_UART_BAUD)

void harness_uart_init(void) {
  UART_CTRL = 0u;
  UART_BAUDDIV = DIVIDER < LEAST_DIVIDER ? LEAST_DIVIDER : DIVIDER;
  UART_CTRL = CTRL_ENABLE;
}

int32_t harness_uart_read(void) {
  return (UART_STATE & STATE_RX_FULL) != 0u ? (int32_t)(UART_DATA & 0xFFu) : -1;
}

void harness_uart_write(uint8_t byte) {
  while ((UART_STATE & STATE_TX_FULL) != 0u) {
  }
  UART_DATA = byte;
}
