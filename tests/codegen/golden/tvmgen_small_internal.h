#ifndef TVMGEN_SMALL_INTERNAL_H
#define TVMGEN_SMALL_INTERNAL_H

#include <stdint.h>

void tvmgen_small_elementwise_kernel_0(
    const int32_t *restrict x0,
    int32_t c1,
    uint8_t *restrict result,
    int32_t rows);
void tvmgen_small_running_sum_kernel_0(
    const uint8_t *restrict x,
    int32_t *restrict result,
    int32_t rows);
void tvmgen_small_elementwise_kernel_1(
    const int32_t *restrict x0,
    int32_t c1,
    uint8_t *restrict result,
    int32_t rows);
void tvmgen_small_elementwise_kernel_2(
    const uint8_t *restrict x0,
    int32_t c1,
    int32_t c2,
    int32_t *restrict result,
    int32_t rows);
void tvmgen_small_elementwise_kernel_3(
    const uint8_t *restrict x0,
    const int32_t *restrict x2,
    int32_t c1,
    int32_t *restrict result,
    int32_t rows);
void tvmgen_small_gather_kernel_0(
    const int32_t *restrict index,
    const int8_t *restrict table,
    int8_t *restrict result,
    int32_t rows);
void tvmgen_small_linear_kernel_0(
    const int8_t *restrict x0,
    const int32_t *restrict index,
    const int8_t *restrict x1,
    const int8_t *restrict weight,
    const int32_t *restrict bias,
    const int32_t *restrict multiplier,
    int16_t *restrict result,
    int32_t rows);
void tvmgen_small_rms_norm_kernel_0(
    const int16_t *restrict x,
    int64_t epsilon,
    int32_t gain,
    int32_t shift,
    int8_t *restrict result,
    int32_t rows);
void tvmgen_small_linear_kernel_1(
    const int8_t *restrict x0,
    const int8_t *restrict weight,
    const int32_t *restrict bias,
    const int32_t *restrict multiplier,
    int8_t *restrict result,
    int32_t rows);
void tvmgen_small_attention_kernel_0(
    const int8_t *restrict q,
    const int8_t *restrict k,
    const int8_t *restrict v,
    const uint8_t *restrict hidden,
    const int8_t *restrict table,
    int32_t multiplier,
    int32_t numerator,
    int8_t *restrict result,
    int32_t *restrict scores,
    int8_t *restrict weights,
    int32_t rows,
    int32_t keys);
void tvmgen_small_causal_convolution_kernel_0(
    const int8_t *restrict x,
    const int8_t *restrict weight,
    const int32_t *restrict bias,
    const int32_t *restrict multiplier,
    int8_t *restrict result,
    int32_t rows,
    int32_t before);
void tvmgen_small_lookup_kernel_0(
    const int8_t *x,
    const int8_t *table,
    int8_t *result,
    int32_t rows);
void tvmgen_small_linear_kernel_2(
    const int8_t *restrict x0,
    const int8_t *restrict x1,
    const int8_t *restrict weight,
    const int32_t *restrict bias,
    const int32_t *restrict multiplier,
    int16_t *restrict result,
    int32_t rows);
void tvmgen_small_linear_kernel_3(
    const int16_t *restrict x0,
    const int8_t *restrict weight,
    const int32_t *restrict bias,
    const int32_t *restrict multiplier,
    int16_t *restrict result,
    int32_t rows);

extern const int8_t tvmgen_small_gather_7_table[64];
extern const int8_t tvmgen_small_linear_8_x1[32];
extern const int8_t tvmgen_small_linear_8_weight[64];
extern const int32_t tvmgen_small_linear_8_bias[24];
extern const int32_t tvmgen_small_linear_8_multiplier[8];
extern const int8_t tvmgen_small_linear_10_weight[64];
extern const int32_t tvmgen_small_linear_10_bias[8];
extern const int32_t tvmgen_small_linear_10_multiplier[8];
extern const int8_t tvmgen_small_attention_11_table[256];
extern const int8_t tvmgen_small_causal_convolution_12_weight[24];
extern const int32_t tvmgen_small_causal_convolution_12_bias[8];
extern const int32_t tvmgen_small_causal_convolution_12_multiplier[8];
extern const int8_t tvmgen_small_lookup_13_table[256];
extern const int8_t tvmgen_small_linear_14_weight[128];
extern const int32_t tvmgen_small_linear_14_bias[8];
extern const int32_t tvmgen_small_linear_14_multiplier[8];
extern const int8_t tvmgen_small_linear_15_weight[24];
extern const int32_t tvmgen_small_linear_15_bias[3];
extern const int32_t tvmgen_small_linear_15_multiplier[3];

#endif
