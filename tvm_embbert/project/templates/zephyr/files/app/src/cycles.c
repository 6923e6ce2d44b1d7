/* A counter of cycles, see cycles.h. */
#include "cycles.h"

#include <zephyr/kernel.h>

#if defined(CONFIG_TIMING_FUNCTIONS)

#include <zephyr/timing/timing.h>

/* 64 bits on some boards, but nothing tells which. */
#define COUNTER_BITS 32

static timing_t started;

static void start_counter(void) {
  timing_init();
  timing_start();
  started = timing_counter_get();
}

uint64_t cycles_passed(void) {
  timing_t now = timing_counter_get();
  return timing_cycles_get(&started, &now);
}

static uint64_t frequency(void) { return timing_freq_get(); }

const char *cycles_unit(void) { return "cycles"; }

#else

const char *cycles_unit(void) { return "cycles of the kernel's clock"; }

static uint64_t frequency(void) { return (uint64_t)sys_clock_hw_cycles_per_sec(); }

#if defined(CONFIG_TIMER_HAS_64BIT_CYCLE_COUNTER)

#define COUNTER_BITS 64

static uint64_t started;

static void start_counter(void) { started = k_cycle_get_64(); }

uint64_t cycles_passed(void) { return k_cycle_get_64() - started; }

#else

#define COUNTER_BITS 32

static uint32_t started;

static void start_counter(void) { started = k_cycle_get_32(); }

uint64_t cycles_passed(void) { return k_cycle_get_32() - started; }

#endif
#endif

static int64_t started_ms;

void cycles_start(void) {
  started_ms = k_uptime_get();
  start_counter();
}

bool cycles_overflowed(void) {
  /* How long it took tells what the counter cannot. */
  const uint64_t passed_ms = (uint64_t)(k_uptime_get() - started_ms);
  return COUNTER_BITS == 32 && passed_ms * frequency() / 1000u > UINT32_MAX;
}
