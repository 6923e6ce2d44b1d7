/* A hand-made model with two memory pools, steps in loops and constants that are copied to RAM. */
#ifndef TVMGEN_TILED_H
#define TVMGEN_TILED_H

#include <stddef.h>
#include <stdint.h>

#define TVMGEN_TILED_MAX_LENGTH 64
#define TVMGEN_TILED_NUM_OUTPUTS 3
#define TVMGEN_TILED_DTCM_WORKSPACE_POOL_SIZE 203
#define TVMGEN_TILED_SRAM_WORKSPACE_POOL_SIZE 1000
#define TVMGEN_TILED_WORKSPACE_POOL_SIZE                                                           \
  (TVMGEN_TILED_DTCM_WORKSPACE_POOL_SIZE + TVMGEN_TILED_SRAM_WORKSPACE_POOL_SIZE)
#define TVMGEN_TILED_WORKSPACE_POOL_ALIGNMENT 32
#define TVMGEN_TILED_WORKSPACE_POOLS(POOL)                                                         \
  POOL(dtcm, TVMGEN_TILED_DTCM_WORKSPACE_POOL_SIZE)                                                \
  POOL(sram, TVMGEN_TILED_SRAM_WORKSPACE_POOL_SIZE)

/* A pool that is missing, too small or not aligned: -10 for the first, -20 for the second. */
#define TVMGEN_TILED_ERROR_DTCM (-10)
#define TVMGEN_TILED_ERROR_SRAM (-20)

/* First ids that make the model misbehave. */
#define TILED_ID_WRITE 900    /* changes the byte at offset ids[2] of pool number ids[1] */
#define TILED_ID_OVERFLOW 901 /* adds ids[1] and ids[2], which may be too much for 32 bits */
#define TILED_ID_NO_END 902   /* ends with the mark of an earlier step */
#define TILED_ID_STEPS 903    /* marks a step number ids[1] */

/* logits[i] = sum of the ids + weight i. */
int32_t tvmgen_tiled_infer(const int32_t *ids, int32_t length, int16_t *logits, void *dtcm,
                           size_t dtcm_size, void *sram, size_t sram_size);

#endif
