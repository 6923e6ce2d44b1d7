/* Single instructions of a Cortex-M that C has no words for. */
#ifndef HARNESS_MACHINE_H
#define HARNESS_MACHINE_H

#include <stdint.h>

static inline uintptr_t machine_stack_pointer(void) {
  uintptr_t top;
  __asm__ volatile("mov %0, sp" : "=r"(top));
  return top;
}

/* Asks the emulator for an operation of Arm semihosting. */
static inline uint32_t machine_semihost(uint32_t operation, uintptr_t argument) {
  register uint32_t r0 __asm__("r0") = operation;
  register uintptr_t r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory", "cc");
  return r0;
}

#endif
