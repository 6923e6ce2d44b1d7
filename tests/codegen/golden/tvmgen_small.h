/* A text classifier in 8-bit integers, compiled by tvm_embbert. C99; no heap, no floating point, no
 * state of its own: calls with memory of their own may run at the same time.
 *
 * Logits (int16, one unit is 0.000244140625):
 *   0  left
 *   1  right
 *   2  neither
 */
#ifndef TVMGEN_SMALL_H_
#define TVMGEN_SMALL_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Longest input, in tokens. */
#define TVMGEN_SMALL_MAX_LENGTH 8
/* Number of logits. */
#define TVMGEN_SMALL_NUM_OUTPUTS 3
/* Token ids are 0 to this value less 1. */
#define TVMGEN_SMALL_VOCABULARY_SIZE 16
/* Bytes of each memory pool and of all, and what a pool's address must be a multiple of. */
#define TVMGEN_SMALL_SRAM_WORKSPACE_POOL_SIZE 176
#define TVMGEN_SMALL_WORKSPACE_POOL_SIZE TVMGEN_SMALL_SRAM_WORKSPACE_POOL_SIZE
#define TVMGEN_SMALL_WORKSPACE_POOL_ALIGNMENT 16
/* Applies a macro to the name and size of each pool, the fastest first. */
#define TVMGEN_SMALL_WORKSPACE_POOLS(POOL) \
  POOL(sram, TVMGEN_SMALL_SRAM_WORKSPACE_POOL_SIZE)

/* What the functions return. On any error nothing is written. */
enum tvmgen_small_status {
  TVMGEN_SMALL_OK = 0,
  TVMGEN_SMALL_ERROR_NULL_POINTER = -1,
  TVMGEN_SMALL_ERROR_LENGTH = -2,          /* 0, negative, over the maximum, or padding alone */
  TVMGEN_SMALL_ERROR_TOKEN = -3,           /* an id outside the vocabulary */
  TVMGEN_SMALL_ERROR_ARENA_SIZE = -4,      /* a pool is too small */
  TVMGEN_SMALL_ERROR_ARENA_ALIGNMENT = -5  /* a pool's address is not a multiple */
};

/* Classifies a sentence.
 *
 * ids         token ids, the first of them [CLS]; read only
 * length      how many: 1 to TVMGEN_SMALL_MAX_LENGTH
 * logits      TVMGEN_SMALL_NUM_OUTPUTS values are written here
 * sram        TVMGEN_SMALL_SRAM_WORKSPACE_POOL_SIZE bytes, aligned;
 *             contents need not be kept
 * sram_size   bytes that there are
 *
 * Trailing ids of 0 are padding: they are not computed, and do not change a byte
 * of the result.
 */
int32_t tvmgen_small_infer(const int32_t *ids, int32_t length, int16_t *logits,
    void *sram, size_t sram_size);

/* microTVM's interface: the same for TVMGEN_SMALL_MAX_LENGTH ids and pools of the sizes above.
 * Bytes of the input, of the output and of all pools: */
#define TVMGEN_SMALL_IDS_SIZE 32
#define TVMGEN_SMALL_OUTPUT_SIZE 6
#define TVMGEN_SMALL_WORKSPACE_SIZE 176

struct tvmgen_small_inputs {
  void *ids; /* int32_t [TVMGEN_SMALL_MAX_LENGTH], padded */
};

struct tvmgen_small_outputs {
  void *output; /* int16_t [TVMGEN_SMALL_NUM_OUTPUTS] */
};

struct tvmgen_small_workspace_pools {
  void *sram;
};

int32_t tvmgen_small_run(struct tvmgen_small_inputs *inputs, struct tvmgen_small_outputs *outputs,
    struct tvmgen_small_workspace_pools *workspace_pools);

#ifdef __cplusplus
}
#endif

#endif /* TVMGEN_SMALL_H_ */
