/* The core's counter of cycles, see cycles.h. */
#include "cycles.h"

#include "esp_cpu.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "sdkconfig.h"

#define CYCLES_IN_MS (1000u * (uint64_t)CONFIG_ESP_DEFAULT_CPU_FREQ_MHZ)

static uint32_t started;
static TickType_t started_ticks;

void cycles_start(void) {
  started_ticks = xTaskGetTickCount();
  started = (uint32_t)esp_cpu_get_cycle_count();
}

uint64_t cycles_passed(void) { return (uint32_t)esp_cpu_get_cycle_count() - started; }

/* It has 32 bits: how long it took tells what it cannot. */
bool cycles_overflowed(void) {
  const uint64_t passed_ms = (uint64_t)(xTaskGetTickCount() - started_ticks) * portTICK_PERIOD_MS;
  return passed_ms * CYCLES_IN_MS > UINT32_MAX;
}
