/* The task that runs the chosen program. */
#include "line.h"

#include "esp_err.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "sdkconfig.h"

#if CONFIG_APP_PROGRAM_VALIDATION
#include "harness_port.h"
#else
#include "app.h"
#endif

#define PRIORITY (tskIDLE_PRIORITY + 1)

static void run_program(void *argument) {
  (void)argument;
#if CONFIG_APP_PROGRAM_VALIDATION
  harness_main();
#elif CONFIG_APP_PROGRAM_SELFTEST
  (void)app_selftest();
#elif CONFIG_APP_PROGRAM_BENCHMARK
  (void)app_benchmark();
#else
  (void)app_classify();
#endif
  vTaskDelete(NULL);
}

void app_main(void) {
  line_open();
  /* On one core: each has a counter of its own. */
  const BaseType_t made = xTaskCreatePinnedToCore(
      run_program, "program", CONFIG_TVM_EMBBERT_MODEL_STACK_SIZE, NULL, PRIORITY, NULL, 0);
  ESP_ERROR_CHECK(made == pdPASS ? ESP_OK : ESP_ERR_NO_MEM);
}
