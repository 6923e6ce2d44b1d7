/* A hand-made model with the interface of a generated one, to test the harness with. */
#ifndef TVMGEN_FAKE_H
#define TVMGEN_FAKE_H

#include <stddef.h>
#include <stdint.h>

#define TVMGEN_FAKE_MAX_LENGTH 256
#define TVMGEN_FAKE_NUM_OUTPUTS 7
#define TVMGEN_FAKE_SRAM_WORKSPACE_POOL_SIZE 131072
#define TVMGEN_FAKE_WORKSPACE_POOL_SIZE TVMGEN_FAKE_SRAM_WORKSPACE_POOL_SIZE
#define TVMGEN_FAKE_WORKSPACE_POOL_ALIGNMENT 16
#define TVMGEN_FAKE_WORKSPACE_POOLS(POOL) POOL(sram, TVMGEN_FAKE_SRAM_WORKSPACE_POOL_SIZE)

#define TVMGEN_FAKE_ERROR_LENGTH (-1)
#define TVMGEN_FAKE_ERROR_ARENA (-2)

/* First ids that make the model misbehave, or do a known amount of work. */
#define FAKE_ID_LOOP 555     /* the next id is how often a loop of two instructions runs */
#define FAKE_ID_CRASH 666    /* reads an address where nothing is */
#define FAKE_ID_HANG 777     /* never returns */
#define FAKE_ID_OVERFLOW 888 /* uses up the stack */
#define FAKE_ID_DIVIDE 999   /* divides by zero */

/* logits[i] = sum of the ids + weight i; 0, or one of the errors above. */
int32_t tvmgen_fake_infer(const int32_t *ids, int32_t length, int16_t *logits, void *arena,
                          size_t arena_size);

#endif
