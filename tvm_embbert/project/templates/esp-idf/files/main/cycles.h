/* The core's counter of cycles. */
#ifndef CYCLES_H
#define CYCLES_H

#include <stdbool.h>
#include <stdint.h>

/* Begins to count from 0. */
void cycles_start(void);

/* What was counted since, modulo 2^32 if cycles_overflowed says so. */
uint64_t cycles_passed(void);

/* True if the counter went around since the start. */
bool cycles_overflowed(void);

#endif
