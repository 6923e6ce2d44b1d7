/* The model with memory of its own, see app_run.h. */
#include "app_run.h"
#include "app_model.h"
#include "app_port.h"

#if defined(__GNUC__)
#define ALIGNED __attribute__((aligned(MODEL_ALIGNMENT)))
#else
#error "say here how this compiler aligns a variable to MODEL_ALIGNMENT bytes"
#endif

/* One block a pool; a linker script may place each by its name. */
#define POOL_MEMORY(pool, size) static ALIGNED uint8_t app_pool_##pool[size];
#define POOL_ARGUMENTS(pool, size) , app_pool_##pool, sizeof(app_pool_##pool)

MODEL_POOLS(POOL_MEMORY)

uint64_t app_run_count;

int32_t app_run(const int32_t *ids, int32_t length, int16_t *logits) {
  app_port_count();
  const int32_t code = MODEL_INFER(ids, length, logits MODEL_POOLS(POOL_ARGUMENTS));
  app_run_count = app_port_counted();
  return code;
}
