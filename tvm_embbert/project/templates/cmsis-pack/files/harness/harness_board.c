/* What the validation firmware needs of the board: the bytes of the programs' console, and a reset. */
#include "app_port.h"
#include "board.h"
#include "harness_machine.h"
#include "harness_uart.h"

/* main has opened it. */
void harness_uart_init(void) {}

int32_t harness_uart_read(void) { return app_port_read(); }

void harness_uart_write(uint8_t byte) {
  const char text = (char)byte;
  app_port_write(&text, 1u);
}

__attribute__((noreturn)) void machine_restart(void) { board_restart(); }
