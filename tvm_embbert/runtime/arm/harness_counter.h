/* The timer that counts instructions, or the core's counter of cycles, in ticks.
 *
 * QEMU's -icount makes every instruction take the same virtual time, which the board's timer
 * measures. The harness is compiled with HARNESS_COUNTER_BASE, the timer's address, and one of
 * HARNESS_COUNTER_CMSDK_TIMER and HARNESS_COUNTER_SYSTEM; or with HARNESS_COUNTER_DWT for the
 * cycles of a board, which QEMU does not count: there it stands still.
 */
#ifndef HARNESS_COUNTER_H
#define HARNESS_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

#define COUNTER_REGISTER(offset) (*(volatile uint32_t *)(HARNESS_COUNTER_BASE + (offset)))

#if defined(HARNESS_COUNTER_CMSDK_TIMER)

#define COUNTER_CTRL COUNTER_REGISTER(0x0u)
#define COUNTER_VALUE COUNTER_REGISTER(0x4u)
#define COUNTER_RELOAD COUNTER_REGISTER(0x8u)
#define COUNTER_INTSTATUS COUNTER_REGISTER(0xCu)
#define COUNTER_CTRL_ENABLE 0x1u
#define COUNTER_CTRL_INTERRUPT 0x8u

/* Starts again from 0: the same work then takes the same ticks, whenever it is done. */
static inline void counter_start(void) {
  COUNTER_CTRL = 0u;
  COUNTER_RELOAD = UINT32_MAX;
  COUNTER_VALUE = UINT32_MAX;
  COUNTER_INTSTATUS = 1u;
  /* The status bit needs the interrupt; it stays off at the NVIC. */
  COUNTER_CTRL = COUNTER_CTRL_ENABLE | COUNTER_CTRL_INTERRUPT;
}

/* Ticks since counter_start. */
static inline uint64_t counter_ticks(void) { return UINT32_MAX - COUNTER_VALUE; }

/* True if the ticks since counter_start ran over 32 bits. */
static inline bool counter_overflowed(void) { return (COUNTER_INTSTATUS & 1u) != 0u; }

#elif defined(HARNESS_COUNTER_SYSTEM)

#define COUNTER_CNTCR COUNTER_REGISTER(0x0u)
#define COUNTER_CNTCV_LOW COUNTER_REGISTER(0x8u)
#define COUNTER_CNTCV_HIGH COUNTER_REGISTER(0xCu)

static inline void counter_start(void) {
  COUNTER_CNTCR = 0u;
  COUNTER_CNTCV_LOW = 0u;
  COUNTER_CNTCV_HIGH = 0u;
  COUNTER_CNTCR = 1u;
}

static inline uint64_t counter_ticks(void) {
  uint32_t low = COUNTER_CNTCV_LOW;
  uint32_t high = COUNTER_CNTCV_HIGH;
  /* If the low half just ran over, it belongs to the high half before: read it again. */
  if (COUNTER_CNTCV_LOW < low) {
    low = COUNTER_CNTCV_LOW;
    high = COUNTER_CNTCV_HIGH;
  }
  return ((uint64_t)high << 32) | low;
}

static inline bool counter_overflowed(void) { return false; }

#elif defined(HARNESS_COUNTER_DWT)

#define COUNTER_DEMCR (*(volatile uint32_t *)0xE000EDFCu)
#define COUNTER_DWT_CTRL (*(volatile uint32_t *)0xE0001000u)
#define COUNTER_DWT_CYCCNT (*(volatile uint32_t *)0xE0001004u)
#define COUNTER_DWT_LAR (*(volatile uint32_t *)0xE0001FB0u)
#define COUNTER_DEMCR_TRCENA (1u << 24)
#define COUNTER_DWT_CTRL_CYCCNTENA 1u

static inline void counter_start(void) {
  COUNTER_DEMCR |= COUNTER_DEMCR_TRCENA;
  COUNTER_DWT_LAR = 0xC5ACCE55u; /* a Cortex-M7 locks it */
  COUNTER_DWT_CYCCNT = 0u;
  COUNTER_DWT_CTRL |= COUNTER_DWT_CTRL_CYCCNTENA;
}

static inline uint64_t counter_ticks(void) { return COUNTER_DWT_CYCCNT; }

/* Nothing tells; the host knows how long the answer took. */
static inline bool counter_overflowed(void) { return false; }

#else
#error "define HARNESS_COUNTER_CMSDK_TIMER, HARNESS_COUNTER_SYSTEM or HARNESS_COUNTER_DWT"
#endif

#endif
