/* Sentences, and what the model must answer to the byte. */
#ifndef APP_VECTORS_H
#define APP_VECTORS_H

#include "app_model.h"

#include <stdint.h>

typedef struct {
  const int32_t *ids;
  int32_t length;
  int32_t code;                  /* what the call returns */
  int16_t logits[MODEL_OUTPUTS]; /* as they were before it where the code is not 0: zeros */
} app_vector;

extern const app_vector app_vectors[];
extern const uint32_t app_vector_count;

#endif
