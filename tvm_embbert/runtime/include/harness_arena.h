/* The memory pools of the model, and in a debug image the guards around them and at the stack. */
#ifndef HARNESS_ARENA_H
#define HARNESS_ARENA_H

#include "harness_model.h"

#include <stdint.h>

/* 1 in a debug image, else 0. */
#ifndef HARNESS_CANARIES
#define HARNESS_CANARIES 0
#endif

/* Bytes of each guard; in front of a pool more, where its alignment asks for it. */
#define GUARD_BYTES (HARNESS_CANARIES ? 64u : 0u)
#define GUARD_FRONT                                                                                \
  (GUARD_BYTES != 0u && MODEL_POOL_ALIGNMENT > 64u ? MODEL_POOL_ALIGNMENT : GUARD_BYTES)

/* arena_<pool>: the guard in front, the pool and the guard behind it. */
#define ARENA_DECLARATION(pool, size)                                                              \
  extern uint8_t arena_##pool[GUARD_FRONT + (size) + GUARD_BYTES];
MODEL_POOLS(ARENA_DECLARATION)

/* The pointers and sizes that the model takes, each with a comma before it. */
#define ARENA_ARGUMENTS(pool, size) , arena_##pool + GUARD_FRONT, (size_t)(size)

#if HARNESS_CANARIES

#include "harness_protocol.h"

#include <stdbool.h>

/* Writes the guards of all pools and of the stack. */
void guards_write(void);

/* True if all guards are as they were written; else `error` tells which is not. */
bool guards_intact(harness_error *error);

#endif

#endif
