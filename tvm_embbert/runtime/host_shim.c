/* What a shared library of a model exports beside the model itself, for use through ctypes. */
#include "harness_model.h"

#include <stddef.h>
#include <stdint.h>

/* The same for every model, so that the host needs to know no names. */
void harness_host_info(uint32_t info[4]);
int32_t harness_host_infer(const int32_t *ids, int32_t length, int16_t *logits, void *arena,
                           size_t arena_size);

/* Maximum length in tokens, number of outputs, bytes and alignment of the arena. */
void harness_host_info(uint32_t info[4]) {
  info[0] = MODEL_MAX_LENGTH;
  info[1] = MODEL_NUM_OUTPUTS;
  info[2] = MODEL_ARENA_SIZE;
  info[3] = MODEL_ARENA_ALIGNMENT;
}

int32_t harness_host_infer(const int32_t *ids, int32_t length, int16_t *logits, void *arena,
                           size_t arena_size) {
  return MODEL_INFER(ids, length, logits, arena, arena_size);
}
