/* The core's counter of instructions, or with HARNESS_COUNTER_MCYCLE of cycles, in ticks of one
 * each.
 *
 * minstret counts what the core has run; QEMU's -icount makes it exact. It is never written: QEMU
 * 7.2 loses the carry between the halves of a counter that was set.
 */
#ifndef HARNESS_COUNTER_H
#define HARNESS_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

#if defined(HARNESS_COUNTER_MINSTRET)
#define COUNTER_LOW "minstret"
#define COUNTER_HIGH "minstreth"
#elif defined(HARNESS_COUNTER_MCYCLE)
#define COUNTER_LOW "mcycle"
#define COUNTER_HIGH "mcycleh"
#else
#error "define HARNESS_COUNTER_MINSTRET or HARNESS_COUNTER_MCYCLE"
#endif

static inline void counter_start(void) {}

static inline uint64_t counter_ticks(void) {
  uint32_t low, high, again;
  /* Once more if the low half just ran over. */
  do {
    __asm__ volatile("csrr %0, " COUNTER_HIGH : "=r"(high));
    __asm__ volatile("csrr %0, " COUNTER_LOW : "=r"(low));
    __asm__ volatile("csrr %0, " COUNTER_HIGH : "=r"(again));
  } while (high != again);
  return ((uint64_t)high << 32) | low;
}

static inline bool counter_overflowed(void) { return false; }

#endif
