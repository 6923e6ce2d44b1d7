/* Single instructions of a RISC-V core that C has no words for. */
#ifndef HARNESS_MACHINE_H
#define HARNESS_MACHINE_H

#include <stdint.h>

static inline uintptr_t machine_stack_pointer(void) {
  uintptr_t top;
  __asm__ volatile("mv %0, sp" : "=r"(top));
  return top;
}

/* Asks the emulator for an operation of RISC-V semihosting, which are Arm's. It knows a request by
 * the three instructions together, uncompressed and in one page: hence the alignment, and hence
 * the call, lest every place have a copy. */
static __attribute__((noinline, unused)) uint32_t machine_semihost(uint32_t operation,
                                                                   uintptr_t argument) {
  register uint32_t a0 __asm__("a0") = operation;
  register uintptr_t a1 __asm__("a1") = argument;
  __asm__ volatile(".balign 16\n"
                   ".option push\n"
                   ".option norvc\n"
                   "slli zero, zero, 0x1f\n"
                   "ebreak\n"
                   "srai zero, zero, 7\n"
                   ".option pop\n"
                   : "+r"(a0)
                   : "r"(a1)
                   : "memory");
  return a0;
}

/* Runs the image that starts at an address. */
static inline __attribute__((noreturn)) void machine_run(uint32_t start) {
  /* fence.i, which the assembler only takes with an extension of its own. */
  __asm__ volatile(".insn i 0x0f, 1, x0, x0, 0\n"
                   "jr %0\n" ::"r"(start)
                   : "memory");
  __builtin_unreachable();
}

#if defined(HARNESS_START)
/* Starts again as after a reset: a core has no way to ask for one. */
static inline __attribute__((noreturn)) void machine_restart(void) { machine_run(HARNESS_START); }
#endif

#endif
