/* The model with an arena in the devicetree's place, see app_run.h. */
#include "app_model.h"
#include "app_port.h"
#include "app_run.h"

#include <tvm_embbert_arena.h>
#include <zephyr/toolchain.h>

#define POOL_MEMORY(pool, size)                                                                    \
  static TVM_EMBBERT_ARENA __aligned(MODEL_ALIGNMENT)                                              \
  uint8_t app_pool_##pool[size];
#define POOL_ARGUMENTS(pool, size) , app_pool_##pool, sizeof(app_pool_##pool)

MODEL_POOLS(POOL_MEMORY)

uint64_t app_run_count;

int32_t app_run(const int32_t *ids, int32_t length, int16_t *logits) {
  app_port_count();
  const int32_t code = MODEL_INFER(ids, length, logits MODEL_POOLS(POOL_ARGUMENTS));
  app_run_count = app_port_counted();
  return code;
}
