/* A counter of cycles: the core's with CONFIG_TIMING_FUNCTIONS, else that of the kernel's clock. */
#ifndef CYCLES_H
#define CYCLES_H

#include <stdbool.h>
#include <stdint.h>

/* Begins to count from 0. */
void cycles_start(void);

/* What was counted since, modulo 2^32 if cycles_overflowed says so. */
uint64_t cycles_passed(void);

/* True if the counter has 32 bits and went around since the start. */
bool cycles_overflowed(void);

/* What it counts. */
const char *cycles_unit(void);

#endif
