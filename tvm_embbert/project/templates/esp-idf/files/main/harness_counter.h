/* The counter of the validation: that of the other programs. */
#ifndef HARNESS_COUNTER_H
#define HARNESS_COUNTER_H

#include "cycles.h"

static inline void counter_start(void) { cycles_start(); }

static inline uint64_t counter_ticks(void) { return cycles_passed(); }

static inline bool counter_overflowed(void) { return cycles_overflowed(); }

#endif
