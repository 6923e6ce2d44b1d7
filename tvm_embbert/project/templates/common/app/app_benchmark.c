/* Counts inferences at several lengths. */
#include "app.h"
#include "app_model.h"
#include "app_port.h"
#include "app_print.h"
#include "app_run.h"

/* Any ids cost the same, but for padding. */
static void fill(int32_t *ids, int32_t length) {
  for (int32_t i = 0; i < length; ++i) {
    ids[i] = 5 + i % 11;
  }
}

static int report(const int32_t *ids, int32_t length) {
  int16_t logits[MODEL_OUTPUTS];
  const int32_t code = app_run(ids, length, logits);
  app_print_signed(length);
  app_print(" tokens: ");
  if (code != 0) {
    app_print("error ");
    app_print_signed(code);
  } else {
    app_print_unsigned(app_run_count);
    app_print(" ");
    app_print(app_port_unit());
  }
  app_print("\n");
  return code != 0;
}

int app_benchmark(void) {
  static int32_t ids[MODEL_LENGTH];
  int failed = 0;
  fill(ids, MODEL_LENGTH);
  for (int32_t length = 4; length < MODEL_LENGTH; length *= 2) {
    failed |= report(ids, length);
  }
  failed |= report(ids, MODEL_LENGTH);
  app_print(failed ? "benchmark: failed\n" : "benchmark: done\n");
  return failed;
}
