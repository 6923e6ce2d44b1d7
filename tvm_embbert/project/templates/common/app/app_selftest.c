/* Compares the model with the vectors that came with it. */
#include "app.h"
#include "app_model.h"
#include "app_print.h"
#include "app_run.h"
#include "app_vectors.h"

#include <stdbool.h>
#include <string.h>

static bool passes(const app_vector *vector) {
  int16_t logits[MODEL_OUTPUTS];
  memset(logits, 0, sizeof(logits));
  const int32_t code = app_run(vector->ids, vector->length, logits);
  return code == vector->code && memcmp(logits, vector->logits, sizeof(logits)) == 0;
}

int app_selftest(void) {
  uint32_t passed = 0u;
  for (uint32_t i = 0u; i < app_vector_count; ++i) {
    const bool good = passes(&app_vectors[i]);
    passed += good ? 1u : 0u;
    app_print(good ? "passed: " : "FAILED: ");
    app_print_signed(app_vectors[i].length);
    app_print(" tokens\n");
  }
  app_print("self-test: ");
  app_print_unsigned(passed);
  app_print(" of ");
  app_print_unsigned(app_vector_count);
  app_print(passed == app_vector_count ? " passed\n" : " passed: NOT the model that was compiled\n");
  return passed == app_vector_count ? 0 : 1;
}
