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

/* Resets the board. */
static inline __attribute__((noreturn)) void machine_restart(void) {
  __asm__ volatile("dsb" ::: "memory");
  *(volatile uint32_t *)0xE000ED0Cu = 0x05FA0004u; /* AIRCR: SYSRESETREQ, with its key */
  for (;;) {
  }
}

/* Runs the image whose vectors stand at an address. */
static inline __attribute__((noreturn)) void machine_run(uint32_t vectors) {
  *(volatile uint32_t *)0xE000ED08u = vectors; /* VTOR */
  __asm__ volatile("dsb\n"
                   "isb\n"
#if __ARM_ARCH >= 8
                   "msr msplim, %1\n"
#endif
                   "ldr r1, [%0]\n"
                   "ldr r0, [%0, #4]\n"
                   "msr msp, r1\n"
                   "bx r0\n" ::"r"(vectors),
                   "r"(0u)
                   : "r0", "r1", "memory");
  __builtin_unreachable();
}

#endif
