/* Text and numbers on the console, without stdio. */
#ifndef APP_PRINT_H
#define APP_PRINT_H

#include <stdint.h>

void app_print(const char *text);
void app_print_unsigned(uint64_t value);
void app_print_signed(int32_t value);

#endif
