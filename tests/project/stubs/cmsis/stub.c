/* A driver whose bytes are those of stdin and stdout and come later than asked for, and a core
 * whose registers are memory of this process. */
#include "Driver_USART.h"
#include "device.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static int ready; /* 3 with transmitter and receiver on */
static uint8_t *wanted;

static void check(int good, const char *what) {
  if (!good) {
    (void)fprintf(stderr, "%s\n", what);
    exit(70);
  }
}

/* Debug and trace registers of a Cortex-M. */
__attribute__((constructor)) static void map_registers(void) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  void *const wish = (void *)(uintptr_t)0xE0000000u;
  check(mmap(wish, 0x10000, PROT_READ | PROT_WRITE, flags, -1, 0) == wish, "no memory there");
}

static int32_t initialize(ARM_USART_SignalEvent_t event) {
  check(event == NULL, "an event is not wanted");
  return ARM_DRIVER_OK;
}

static int32_t power_control(ARM_POWER_STATE state) {
  check(state == ARM_POWER_FULL, "no power");
  return ARM_DRIVER_OK;
}

static int32_t control(uint32_t what, uint32_t arg) {
  if (what == ARM_USART_MODE_ASYNCHRONOUS) {
    check(arg == 115200u, "another baud rate");
  } else {
    check((what == ARM_USART_CONTROL_TX || what == ARM_USART_CONTROL_RX) && arg == 1u, "unknown");
    ready |= what == ARM_USART_CONTROL_TX ? 1 : 2;
  }
  return ARM_DRIVER_OK;
}

static int32_t driver_send(const void *data, uint32_t num) {
  check(ready == 3, "the driver is not ready");
  return write(STDOUT_FILENO, data, num) == (ssize_t)num ? ARM_DRIVER_OK : -1;
}

static int32_t driver_receive(void *data, uint32_t num) {
  check(ready == 3 && num == 1u, "the driver is not ready");
  if (wanted != NULL) {
    return ARM_DRIVER_ERROR_BUSY;
  }
  wanted = data;
  return ARM_DRIVER_OK;
}

static ARM_USART_STATUS status(void) {
  struct pollfd input = {STDIN_FILENO, POLLIN, 0};
  if (wanted != NULL && poll(&input, 1, 5) > 0) {
    if (read(STDIN_FILENO, wanted, 1) != 1) {
      exit(0);
    }
    wanted = NULL;
  }
  const ARM_USART_STATUS told = {0u, wanted != NULL};
  return told;
}

ARM_DRIVER_USART Driver_USART0 = {initialize,     power_control, driver_send,
                                  driver_receive, control,       status};

__attribute__((noreturn)) void NVIC_SystemReset(void) { exit(0); }
