/* The board for the programs of app/: console, counter, faults, and the end of a program. */
#include "app.h"
#include "app_port.h"
#include "app_print.h"
#include "harness_counter.h"
#include "harness_fault.h"
#include "harness_machine.h"
#include "harness_port.h"
#include "harness_uart.h"

#define SYS_EXIT 0x18u
#define EXIT_SUCCESS_REASON 0x20026u /* ADP_Stopped_ApplicationExit */
#define EXIT_FAILURE_REASON 0x20023u /* ADP_Stopped_RunTimeErrorUnknown */

int app_port_read(void) { return (int)harness_uart_read(); }

void app_port_write(const char *text, size_t size) {
  for (size_t i = 0u; i < size; ++i) {
    if (text[i] == '\n') {
      harness_uart_write('\r');
    }
    harness_uart_write((uint8_t)text[i]);
  }
}

static uint64_t started;

void app_port_count(void) {
  counter_start();
  started = counter_ticks();
}

/* Divided in two steps, lest the product exceed 64 bits. */
uint64_t app_port_counted(void) {
  const uint64_t ticks = counter_ticks() - started;
  return ticks / APP_TICKS * APP_UNITS + ticks % APP_TICKS * APP_UNITS / APP_TICKS;
}

const char *app_port_unit(void) { return APP_UNIT; }

/* The emulator ends with the program. Without one, or a debugger that heeds semihosting, the request
 * is a fault, which stops the board as well. */
static __attribute__((noreturn)) void stop(int status) {
  for (;;) {
    (void)machine_semihost(SYS_EXIT, status == 0 ? EXIT_SUCCESS_REASON : EXIT_FAILURE_REASON);
  }
}

/* Called by the start-up code. */
__attribute__((noreturn)) void harness_main(void) {
  harness_uart_init();
  stop(APP_PROGRAM());
}

__attribute__((used)) static __attribute__((noreturn)) void report_fault(void) {
  static volatile int again;
  if (again++ == 0) {
    app_print("\nfault: the program was stopped\n");
    stop(1);
  }
  for (;;) {
  }
}

/* With a stack of its own: the other may be full. */
__attribute__((naked, aligned(4))) void harness_fault_handler(void) {
#if defined(__riscv)
  __asm__ volatile("la sp, harness_fault_stack_end\n"
                   "tail report_fault\n");
#else
  __asm__ volatile(
#if __ARM_ARCH >= 8
      "ldr r0, =harness_fault_stack\n"
      "msr msplim, r0\n"
#endif
      "ldr r0, =harness_fault_stack_end\n"
      "mov sp, r0\n"
      "b report_fault\n"
      ".ltorg\n");
#endif
}
