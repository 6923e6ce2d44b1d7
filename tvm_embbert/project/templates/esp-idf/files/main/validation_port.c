/* What the validation needs of ESP-IDF: the console's line, and the task's stack. */
#include "harness_memory.h"
#include "harness_uart.h"
#include "line.h"

#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "sdkconfig.h"

/* app_main did it before the task began. */
void harness_uart_init(void) {}

int32_t harness_uart_read(void) { return line_read(); }

void harness_uart_write(uint8_t byte) { line_write(&byte, 1u); }

uint32_t harness_stack_size(void) { return CONFIG_TVM_EMBBERT_MODEL_STACK_SIZE; }

/* ESP-IDF counts stacks in bytes. */
uint32_t harness_stack_used(void) {
  return harness_stack_size() - (uint32_t)uxTaskGetStackHighWaterMark(NULL);
}
