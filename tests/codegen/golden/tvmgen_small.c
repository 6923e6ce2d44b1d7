#include "tvmgen_small.h"

#include "tvm_embbert_arithmetic.h"
#include "tvmgen_small_internal.h"

/* A profiling build defines this to read a counter before each step. */
#ifndef TVMGEN_STEP
#define TVMGEN_STEP(index) ((void)0)
#endif

static int32_t check(const int32_t *ids, int32_t length, const int16_t *logits,
    void *sram, size_t sram_size) {
  if (ids == NULL || logits == NULL) {
    return TVMGEN_SMALL_ERROR_NULL_POINTER;
  }
  if (length < 1 || length > TVMGEN_SMALL_MAX_LENGTH) {
    return TVMGEN_SMALL_ERROR_LENGTH;
  }
  if (sram == NULL) {
    return TVMGEN_SMALL_ERROR_NULL_POINTER;
  }
  if (sram_size < TVMGEN_SMALL_SRAM_WORKSPACE_POOL_SIZE) {
    return TVMGEN_SMALL_ERROR_ARENA_SIZE;
  }
  if ((uintptr_t)sram % TVMGEN_SMALL_WORKSPACE_POOL_ALIGNMENT != 0) {
    return TVMGEN_SMALL_ERROR_ARENA_ALIGNMENT;
  }
  for (int32_t i = 0; i < length; ++i) {
    if (ids[i] < 0 || ids[i] >= TVMGEN_SMALL_VOCABULARY_SIZE) {
      return TVMGEN_SMALL_ERROR_TOKEN;
    }
  }
  return TVMGEN_SMALL_OK;
}

static void compute(const int32_t *ids, int32_t n, int16_t *linear_15, uint8_t *memory_sram) {
  uint8_t *const elementwise_1 = (uint8_t *)(void *)(memory_sram + 144);
  uint8_t *const elementwise_2 = (uint8_t *)(void *)(memory_sram + 32);
  int32_t *const running_sum_3 = (int32_t *)(void *)(memory_sram + 0);
  uint8_t *const elementwise_4 = (uint8_t *)(void *)(memory_sram + 32);
  int32_t *const elementwise_5 = (int32_t *)(void *)(memory_sram + 0);
  int32_t *const elementwise_6 = (int32_t *)(void *)(memory_sram + 112);
  int8_t *const gather_7 = (int8_t *)(void *)(memory_sram + 160);
  int16_t *const linear_8 = (int16_t *)(void *)(memory_sram + 64);
  int8_t *const rms_norm_9 = (int8_t *)(void *)(memory_sram + 0);
  int8_t *const linear_10 = (int8_t *)(void *)(memory_sram + 128);
  int8_t *const attention_11 = (int8_t *)(void *)(memory_sram + 96);
  int32_t *const attention_11_scores = (int32_t *)(void *)(memory_sram + 64);
  int8_t *const attention_11_weights = (int8_t *)(void *)(memory_sram + 112);
  int8_t *const causal_convolution_12 = (int8_t *)(void *)(memory_sram + 64);
  int8_t *const lookup_13 = (int8_t *)(void *)(memory_sram + 64);
  int16_t *const linear_14 = (int16_t *)(void *)(memory_sram + 0);

  TVMGEN_STEP(0); /* elementwise_1 */
  tvmgen_small_elementwise_kernel_0(ids, 0, elementwise_1, n);
  TVMGEN_STEP(1); /* elementwise_2 */
  tvmgen_small_elementwise_kernel_0(ids, 4, elementwise_2, n);
  TVMGEN_STEP(2); /* running_sum_3 */
  tvmgen_small_running_sum_kernel_0(elementwise_2, running_sum_3, n);
  TVMGEN_STEP(3); /* elementwise_4 */
  tvmgen_small_elementwise_kernel_1(running_sum_3, 0, elementwise_4, n);
  TVMGEN_STEP(4); /* elementwise_5 */
  tvmgen_small_elementwise_kernel_2(elementwise_4, 2, 1, elementwise_5, n);
  TVMGEN_STEP(5); /* elementwise_6 */
  tvmgen_small_elementwise_kernel_3(elementwise_1, elementwise_5, 0, elementwise_6, n);
  for (int32_t first = 0; first < n; first += 3) {
    const int32_t rows = te_min(n - first, 3);
    TVMGEN_STEP(6); /* gather_7 */
    tvmgen_small_gather_kernel_0(ids + first, tvmgen_small_gather_7_table, gather_7, rows);
    TVMGEN_STEP(7); /* linear_8 */
    tvmgen_small_linear_kernel_0(gather_7, elementwise_6 + first,
        tvmgen_small_linear_8_x1 + first * 4, tvmgen_small_linear_8_weight,
        tvmgen_small_linear_8_bias, tvmgen_small_linear_8_multiplier, linear_8, rows);
    TVMGEN_STEP(8); /* rms_norm_9 */
    tvmgen_small_rms_norm_kernel_0(linear_8, 1000, 20000, 8, rms_norm_9 + first * 8, rows);
  }
  TVMGEN_STEP(9); /* linear_10 */
  tvmgen_small_linear_kernel_1(rms_norm_9, tvmgen_small_linear_10_weight,
      tvmgen_small_linear_10_bias, tvmgen_small_linear_10_multiplier, linear_10, 1);
  TVMGEN_STEP(10); /* attention_11 */
  tvmgen_small_attention_kernel_0(linear_10, rms_norm_9, rms_norm_9, elementwise_1,
      tvmgen_small_attention_11_table, 20000000, 1073741824, attention_11, attention_11_scores,
      attention_11_weights, 1, n);
  TVMGEN_STEP(11); /* causal_convolution_12 */
  tvmgen_small_causal_convolution_kernel_0(rms_norm_9, tvmgen_small_causal_convolution_12_weight,
      tvmgen_small_causal_convolution_12_bias, tvmgen_small_causal_convolution_12_multiplier,
      causal_convolution_12, 1, 0);
  TVMGEN_STEP(12); /* lookup_13 */
  tvmgen_small_lookup_kernel_0(causal_convolution_12, tvmgen_small_lookup_13_table, lookup_13, 1);
  TVMGEN_STEP(13); /* linear_14 */
  tvmgen_small_linear_kernel_2(attention_11, lookup_13, tvmgen_small_linear_14_weight,
      tvmgen_small_linear_14_bias, tvmgen_small_linear_14_multiplier, linear_14, 1);
  TVMGEN_STEP(14); /* linear_15 */
  tvmgen_small_linear_kernel_3(linear_14, tvmgen_small_linear_15_weight,
      tvmgen_small_linear_15_bias, tvmgen_small_linear_15_multiplier, linear_15, 1);
  TVMGEN_STEP(15);
}

int32_t tvmgen_small_infer(const int32_t *ids, int32_t length, int16_t *logits,
    void *sram, size_t sram_size) {
  const int32_t status = check(ids, length, logits, sram, sram_size);
  if (status != TVMGEN_SMALL_OK) {
    return status;
  }
  int32_t n = length;
  while (n > 0 && ids[n - 1] == 0) {
    --n;
  }
  if (n == 0) {
    return TVMGEN_SMALL_ERROR_LENGTH;
  }
  compute(ids, n, logits, (uint8_t *)sram);
  return TVMGEN_SMALL_OK;
}

int32_t tvmgen_small_run(struct tvmgen_small_inputs *inputs, struct tvmgen_small_outputs *outputs,
    struct tvmgen_small_workspace_pools *workspace_pools) {
  if (inputs == NULL || outputs == NULL || workspace_pools == NULL) {
    return TVMGEN_SMALL_ERROR_NULL_POINTER;
  }
  return tvmgen_small_infer((const int32_t *)inputs->ids, TVMGEN_SMALL_MAX_LENGTH,
      (int16_t *)outputs->output,
      workspace_pools->sram, TVMGEN_SMALL_SRAM_WORKSPACE_POOL_SIZE);
}
