/* What a shared library of a model exports beside the model itself, for use through ctypes. */
#include "harness_model.h"

#include <stddef.h>
#include <stdint.h>

/* The same for every model, so that the host needs to know no names. */
void harness_host_info(uint32_t info[4]);
const char *harness_host_pool(uint32_t index, uint32_t *size);
int32_t harness_host_infer(const int32_t *ids, int32_t length, int16_t *logits, void *const *pools,
                           const size_t *sizes);

/* POOL_<pool>: its place in the order of the pools. */
#define POOL_INDEX(pool, size) POOL_##pool,
enum pool_index { MODEL_POOLS(POOL_INDEX) POOL_COUNT };

#define POOL_NAME(pool, size) #pool,
static const char *const pool_names[] = {MODEL_POOLS(POOL_NAME)};

#define POOL_SIZE(pool, size) (uint32_t)(size),
static const uint32_t pool_sizes[] = {MODEL_POOLS(POOL_SIZE)};

/* Maximum length in tokens, number of outputs, number of pools and their alignment in bytes. */
void harness_host_info(uint32_t info[4]) {
  info[0] = MODEL_MAX_LENGTH;
  info[1] = MODEL_NUM_OUTPUTS;
  info[2] = POOL_COUNT;
  info[3] = MODEL_POOL_ALIGNMENT;
}

/* Name and bytes of a pool. */
const char *harness_host_pool(uint32_t index, uint32_t *size) {
  *size = pool_sizes[index];
  return pool_names[index];
}

#define POOL_ARGUMENTS(pool, size) , pools[POOL_##pool], sizes[POOL_##pool]

int32_t harness_host_infer(const int32_t *ids, int32_t length, int16_t *logits, void *const *pools,
                           const size_t *sizes) {
  return MODEL_INFER(ids, length, logits MODEL_POOLS(POOL_ARGUMENTS));
}
