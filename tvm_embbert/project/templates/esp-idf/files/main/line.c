/* The console's line, see line.h. */
#include "line.h"

#include "esp_err.h"
#include "freertos/FreeRTOS.h"
#include "sdkconfig.h"

#define WAIT pdMS_TO_TICKS(20)

#if CONFIG_ESP_CONSOLE_USB_SERIAL_JTAG

#include "driver/usb_serial_jtag.h"

/* Nobody may be there to read: then what is written is lost. */
#define WRITE_WAIT pdMS_TO_TICKS(1000)

void line_open(void) {
  usb_serial_jtag_driver_config_t config = USB_SERIAL_JTAG_DRIVER_CONFIG_DEFAULT();
  ESP_ERROR_CHECK(usb_serial_jtag_driver_install(&config));
}

int32_t line_read(void) {
  uint8_t byte;
  return usb_serial_jtag_read_bytes(&byte, 1, WAIT) == 1 ? byte : -1;
}

void line_write(const void *bytes, size_t size) {
  (void)usb_serial_jtag_write_bytes(bytes, size, WRITE_WAIT);
}

#elif CONFIG_ESP_CONSOLE_UART

#include "driver/uart.h"

#define PORT ((uart_port_t)CONFIG_ESP_CONSOLE_UART_NUM)
#define RECEIVE_BUFFER 1024

void line_open(void) {
  const uart_config_t config = {
      .baud_rate = CONFIG_ESP_CONSOLE_UART_BAUDRATE,
      .data_bits = UART_DATA_8_BITS,
      .parity = UART_PARITY_DISABLE,
      .stop_bits = UART_STOP_BITS_1,
      .flow_ctrl = UART_HW_FLOWCTRL_DISABLE,
      .source_clk = UART_SCLK_DEFAULT,
  };
  ESP_ERROR_CHECK(uart_driver_install(PORT, RECEIVE_BUFFER, 0, 0, NULL, 0));
  ESP_ERROR_CHECK(uart_param_config(PORT, &config));
}

int32_t line_read(void) {
  uint8_t byte;
  return uart_read_bytes(PORT, &byte, 1, WAIT) == 1 ? byte : -1;
}

void line_write(const void *bytes, size_t size) { (void)uart_write_bytes(PORT, bytes, size); }

#else
#error "idf.py menuconfig, Channel for console output: choose a UART or USB Serial/JTAG"
#endif
