/* The storage of the model's pools for validation, in the devicetree's place, see harness_arena.h.
 */
#include "harness_arena.h"

#include <tvm_embbert_arena.h>
#include <zephyr/toolchain.h>

#define POOL_MEMORY(pool, size)                                                                    \
  TVM_EMBBERT_ARENA __aligned(MODEL_POOL_ALIGNMENT)                                                \
  uint8_t arena_##pool[size];

MODEL_POOLS(POOL_MEMORY)
