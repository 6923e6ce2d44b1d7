/* Zephyr as far as the programs need it, on this machine. */
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/kernel.h>
#include <zephyr/sys/reboot.h>
#include <zephyr/timing/timing.h>

#define UNUSED_STACK 1000u
#define RESTARTED 77

const struct device stub_zephyr_console = {"console"};

int app_main(void);

/* As Zephyr: nothing waits for a byte. At the end of the input the machine is switched off. */
int uart_poll_in(const struct device *dev, unsigned char *p_char) {
  struct pollfd waiting = {STDIN_FILENO, POLLIN, 0};
  if (dev != &stub_zephyr_console || poll(&waiting, 1, 0) == 0) {
    return -1;
  }
  if (read(STDIN_FILENO, p_char, 1) != 1) {
    exit(0);
  }
  return 0;
}

void uart_poll_out(const struct device *dev, unsigned char out_char) {
  if (dev != &stub_zephyr_console || write(STDOUT_FILENO, &out_char, 1) != 1) {
    abort();
  }
}

void sys_reboot(int type) { exit(RESTARTED + type); }

k_tid_t k_current_get(void) { return &stub_thread; }

int k_thread_stack_space_get(const struct k_thread *thread, size_t *unused_ptr) {
  *unused_ptr = UNUSED_STACK;
  return thread == &stub_thread ? 0 : -1;
}

static uint64_t microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

int64_t k_uptime_get(void) { return (int64_t)(microseconds() / 1000u); }
uint32_t k_cycle_get_32(void) { return (uint32_t)microseconds(); }
uint64_t k_cycle_get_64(void) { return microseconds(); }
int sys_clock_hw_cycles_per_sec(void) { return 1000000; }

void timing_init(void) {}
void timing_start(void) {}
timing_t timing_counter_get(void) { return microseconds(); }
uint64_t timing_cycles_get(volatile timing_t *const start, volatile timing_t *const end) {
  return *end - *start;
}
uint64_t timing_freq_get(void) { return 1000000u; }

int main(void) {
  const int code = app_main();
  stub_thread.entry(NULL, NULL, NULL);
  return code;
}
