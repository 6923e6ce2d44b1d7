/* ESP-IDF as far as the programs need it, on this machine. */
#include "driver/uart.h"
#include "driver/usb_serial_jtag.h"
#include "esp_cpu.h"
#include "esp_err.h"
#include "esp_system.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define RESTARTED 78
#define UNUSED_STACK 1000u

void app_main(void);

static TaskFunction_t task;
static void *task_argument;
static bool uart_installed, usb_installed;

BaseType_t xTaskCreatePinnedToCore(TaskFunction_t code, const char *const name,
                                   const uint32_t depth, void *const argument, UBaseType_t priority,
                                   TaskHandle_t *const created, const BaseType_t core) {
  task = code;
  task_argument = argument;
  return name != NULL && depth > UNUSED_STACK && priority > tskIDLE_PRIORITY && created == NULL &&
                 core == 0
             ? pdPASS
             : 0;
}

void vTaskDelete(TaskHandle_t deleted) { exit(deleted == NULL ? 0 : 1); }

UBaseType_t uxTaskGetStackHighWaterMark(TaskHandle_t asked) {
  return asked == NULL ? UNUSED_STACK : 0u;
}

static uint64_t microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

TickType_t xTaskGetTickCount(void) {
  return (TickType_t)(microseconds() * configTICK_RATE_HZ / 1000000u);
}

esp_cpu_cycle_count_t esp_cpu_get_cycle_count(void) { return (uint32_t)microseconds(); }

void esp_restart(void) { exit(RESTARTED); }

/* At the end of the input the machine is switched off. */
static int read_bytes(void *buf, uint32_t length, uint32_t ticks_to_wait) {
  struct pollfd waiting = {STDIN_FILENO, POLLIN, 0};
  if (poll(&waiting, 1, (int)(ticks_to_wait * portTICK_PERIOD_MS)) == 0) {
    return 0;
  }
  const ssize_t got = read(STDIN_FILENO, buf, length);
  if (got <= 0) {
    exit(0);
  }
  return (int)got;
}

esp_err_t uart_driver_install(uart_port_t uart_num, int rx_buffer_size, int tx_buffer_size,
                              int queue_size, QueueHandle_t *uart_queue, int intr_alloc_flags) {
  /* The driver refuses a buffer that is no larger than the FIFO of the UART. */
  const bool good = uart_num == UART_NUM_0 && rx_buffer_size > 128 && tx_buffer_size == 0;
  uart_installed = good && queue_size == 0 && uart_queue == NULL && intr_alloc_flags == 0;
  return uart_installed ? ESP_OK : -1;
}

esp_err_t uart_param_config(uart_port_t uart_num, const uart_config_t *config) {
  return uart_num == UART_NUM_0 && config->baud_rate == 115200 &&
                 config->data_bits == UART_DATA_8_BITS && config->stop_bits == UART_STOP_BITS_1
             ? ESP_OK
             : -1;
}

int uart_read_bytes(uart_port_t uart_num, void *buf, uint32_t length, uint32_t ticks_to_wait) {
  return uart_installed && uart_num == UART_NUM_0 ? read_bytes(buf, length, ticks_to_wait) : -1;
}

int uart_write_bytes(uart_port_t uart_num, const void *src, size_t size) {
  return uart_installed && uart_num == UART_NUM_0 ? (int)write(STDOUT_FILENO, src, size) : -1;
}

esp_err_t usb_serial_jtag_driver_install(usb_serial_jtag_driver_config_t *config) {
  usb_installed = config->rx_buffer_size > 0u && config->tx_buffer_size > 0u;
  return usb_installed ? ESP_OK : -1;
}

int usb_serial_jtag_read_bytes(void *buf, uint32_t length, uint32_t ticks_to_wait) {
  return usb_installed ? read_bytes(buf, length, ticks_to_wait) : -1;
}

int usb_serial_jtag_write_bytes(const void *src, size_t size, uint32_t ticks_to_wait) {
  return usb_installed && ticks_to_wait > 0u ? (int)write(STDOUT_FILENO, src, size) : -1;
}

int main(void) {
  app_main();
  task(task_argument);
  return 1; /* a task must not return */
}
