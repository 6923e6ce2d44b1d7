/* What the validation needs of Zephyr: the console's UART, and the thread's stack. */
#include "harness_memory.h"
#include "harness_uart.h"

#include <zephyr/device.h>
#include <zephyr/devicetree.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/kernel.h>

static const struct device *const console = DEVICE_DT_GET(DT_CHOSEN(zephyr_console));

/* The driver did it before the thread began. */
void harness_uart_init(void) {}

int32_t harness_uart_read(void) {
  unsigned char byte;
  return uart_poll_in(console, &byte) == 0 ? byte : -1;
}

void harness_uart_write(uint8_t byte) { uart_poll_out(console, byte); }

uint32_t harness_stack_size(void) { return (uint32_t)k_current_get()->stack_info.size; }

uint32_t harness_stack_used(void) {
  size_t unused = 0u;
  /* Nothing unused if the kernel cannot tell: a bound that holds. */
  if (k_thread_stack_space_get(k_current_get(), &unused) != 0) {
    unused = 0u;
  }
  return harness_stack_size() - (uint32_t)unused;
}
