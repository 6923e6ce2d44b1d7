/* Console and counter of the programs, see app_port.h. */
#include "app_port.h"
#include "cycles.h"

#include <zephyr/device.h>
#include <zephyr/devicetree.h>
#include <zephyr/drivers/uart.h>

static const struct device *const console = DEVICE_DT_GET(DT_CHOSEN(zephyr_console));

int app_port_read(void) {
  unsigned char byte;
  return uart_poll_in(console, &byte) == 0 ? byte : APP_PORT_NOTHING;
}

void app_port_write(const char *text, size_t size) {
  for (size_t i = 0u; i < size; ++i) {
    if (text[i] == '\n') {
      uart_poll_out(console, '\r');
    }
    uart_poll_out(console, (unsigned char)text[i]);
  }
}

void app_port_count(void) { cycles_start(); }

uint64_t app_port_counted(void) { return cycles_passed(); }

const char *app_port_unit(void) { return cycles_unit(); }
