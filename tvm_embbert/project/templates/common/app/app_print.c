/* Text and numbers on the console, see app_print.h. */
#include "app_print.h"
#include "app_port.h"

#include <string.h>

void app_print(const char *text) { app_port_write(text, strlen(text)); }

void app_print_unsigned(uint64_t value) {
  char digits[20];
  size_t at = sizeof(digits);
  do {
    digits[--at] = (char)('0' + (char)(value % 10u));
    value /= 10u;
  } while (value != 0u);
  app_port_write(digits + at, sizeof(digits) - at);
}

void app_print_signed(int32_t value) {
  if (value < 0) {
    app_print("-");
  }
  app_print_unsigned(value < 0 ? (uint64_t) - (int64_t)value : (uint64_t)value);
}
