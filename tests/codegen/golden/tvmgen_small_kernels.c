#include "tvm_embbert_arithmetic.h"
#include "tvmgen_small_internal.h"

void tvmgen_small_elementwise_kernel_0(
    const int32_t *restrict x0,
    int32_t c1,
    uint8_t *restrict result,
    int32_t rows) {
  for (int32_t i = 0; i < rows; ++i) {
    result[i] = (uint8_t)(x0[i] == c1);
  }
}

void tvmgen_small_running_sum_kernel_0(
    const uint8_t *restrict x,
    int32_t *restrict result,
    int32_t rows) {
  int32_t total;
  total = 0;
  for (int32_t i = 0; i < rows; ++i) {
    total += x[i];
    result[i] = total;
  }
}

void tvmgen_small_elementwise_kernel_1(
    const int32_t *restrict x0,
    int32_t c1,
    uint8_t *restrict result,
    int32_t rows) {
  for (int32_t i = 0; i < rows; ++i) {
    result[i] = (uint8_t)(c1 < x0[i]);
  }
}

void tvmgen_small_elementwise_kernel_2(
    const uint8_t *restrict x0,
    int32_t c1,
    int32_t c2,
    int32_t *restrict result,
    int32_t rows) {
  for (int32_t i = 0; i < rows; ++i) {
    result[i] = x0[i] ? c1 : c2;
  }
}

void tvmgen_small_elementwise_kernel_3(
    const uint8_t *restrict x0,
    const int32_t *restrict x2,
    int32_t c1,
    int32_t *restrict result,
    int32_t rows) {
  for (int32_t i = 0; i < rows; ++i) {
    result[i] = x0[i] ? c1 : x2[i];
  }
}

void tvmgen_small_gather_kernel_0(
    const int32_t *restrict index,
    const int8_t *restrict table,
    int8_t *restrict result,
    int32_t rows) {
  for (int32_t i = 0; i < rows; ++i) {
    for (int32_t c = 0; c < 4; ++c) {
      result[i * 4 + c] = table[index[i] * 4 + c];
    }
  }
}

void tvmgen_small_linear_kernel_0(
    const int8_t *restrict x0,
    const int32_t *restrict index,
    const int8_t *restrict x1,
    const int8_t *restrict weight,
    const int32_t *restrict bias,
    const int32_t *restrict multiplier,
    int16_t *restrict result,
    int32_t rows) {
  for (int32_t i = 0; i < rows; ++i) {
    int32_t sums[8];
    sums[0] = bias[index[i] * 8];
    sums[1] = bias[index[i] * 8 + 1];
    sums[2] = bias[index[i] * 8 + 2];
    sums[3] = bias[index[i] * 8 + 3];
    sums[4] = bias[index[i] * 8 + 4];
    sums[5] = bias[index[i] * 8 + 5];
    sums[6] = bias[index[i] * 8 + 6];
    sums[7] = bias[index[i] * 8 + 7];
    for (int32_t k = 0; k < 4; ++k) {
      sums[0] += x0[i * 4 + k] * weight[k];
      sums[1] += x0[i * 4 + k] * weight[k + 8];
      sums[2] += x0[i * 4 + k] * weight[k + 16];
      sums[3] += x0[i * 4 + k] * weight[k + 24];
      sums[4] += x0[i * 4 + k] * weight[k + 32];
      sums[5] += x0[i * 4 + k] * weight[k + 40];
      sums[6] += x0[i * 4 + k] * weight[k + 48];
      sums[7] += x0[i * 4 + k] * weight[k + 56];
    }
    for (int32_t k = 0; k < 4; ++k) {
      sums[0] += x1[i * 4 + k] * weight[k + 4];
      sums[1] += x1[i * 4 + k] * weight[k + 12];
      sums[2] += x1[i * 4 + k] * weight[k + 20];
      sums[3] += x1[i * 4 + k] * weight[k + 28];
      sums[4] += x1[i * 4 + k] * weight[k + 36];
      sums[5] += x1[i * 4 + k] * weight[k + 44];
      sums[6] += x1[i * 4 + k] * weight[k + 52];
      sums[7] += x1[i * 4 + k] * weight[k + 60];
    }
    result[i * 8] = te_saturate_int16(te_multiply_high(sums[0], multiplier[0]));
    result[i * 8 + 1] = te_saturate_int16(te_multiply_high(sums[1], multiplier[1]));
    result[i * 8 + 2] = te_saturate_int16(te_multiply_high(sums[2], multiplier[2]));
    result[i * 8 + 3] = te_saturate_int16(te_multiply_high(sums[3], multiplier[3]));
    result[i * 8 + 4] = te_saturate_int16(te_multiply_high(sums[4], multiplier[4]));
    result[i * 8 + 5] = te_saturate_int16(te_multiply_high(sums[5], multiplier[5]));
    result[i * 8 + 6] = te_saturate_int16(te_multiply_high(sums[6], multiplier[6]));
    result[i * 8 + 7] = te_saturate_int16(te_multiply_high(sums[7], multiplier[7]));
  }
}

void tvmgen_small_rms_norm_kernel_0(
    const int16_t *restrict x,
    int64_t epsilon,
    int32_t gain,
    int32_t shift,
    int8_t *restrict result,
    int32_t rows) {
  for (int32_t i = 0; i < rows; ++i) {
    int64_t squares;
    int32_t scale;
    int32_t bits;
    squares = epsilon;
    for (int32_t c = 0; c < 8; ++c) {
      squares += (int64_t)(x[i * 8 + c] * x[i * 8 + c]);
    }
    scale = te_norm_multiplier(squares, gain);
    bits = te_norm_shift(squares, shift);
    for (int32_t c = 0; c < 8; ++c) {
      result[i * 8 + c] = te_saturate_int8(te_round_shift(x[i * 8 + c] * scale, bits));
    }
  }
}

void tvmgen_small_linear_kernel_1(
    const int8_t *restrict x0,
    const int8_t *restrict weight,
    const int32_t *restrict bias,
    const int32_t *restrict multiplier,
    int8_t *restrict result,
    int32_t rows) {
  for (int32_t i = 0; i < rows; ++i) {
    int32_t sums[8];
    sums[0] = bias[0];
    sums[1] = bias[1];
    sums[2] = bias[2];
    sums[3] = bias[3];
    sums[4] = bias[4];
    sums[5] = bias[5];
    sums[6] = bias[6];
    sums[7] = bias[7];
    for (int32_t k = 0; k < 8; ++k) {
      sums[0] += x0[i * 8 + k] * weight[k];
      sums[1] += x0[i * 8 + k] * weight[k + 8];
      sums[2] += x0[i * 8 + k] * weight[k + 16];
      sums[3] += x0[i * 8 + k] * weight[k + 24];
      sums[4] += x0[i * 8 + k] * weight[k + 32];
      sums[5] += x0[i * 8 + k] * weight[k + 40];
      sums[6] += x0[i * 8 + k] * weight[k + 48];
      sums[7] += x0[i * 8 + k] * weight[k + 56];
    }
    result[i * 8] = te_saturate_int8(te_multiply_high(sums[0], multiplier[0]));
    result[i * 8 + 1] = te_saturate_int8(te_multiply_high(sums[1], multiplier[1]));
    result[i * 8 + 2] = te_saturate_int8(te_multiply_high(sums[2], multiplier[2]));
    result[i * 8 + 3] = te_saturate_int8(te_multiply_high(sums[3], multiplier[3]));
    result[i * 8 + 4] = te_saturate_int8(te_multiply_high(sums[4], multiplier[4]));
    result[i * 8 + 5] = te_saturate_int8(te_multiply_high(sums[5], multiplier[5]));
    result[i * 8 + 6] = te_saturate_int8(te_multiply_high(sums[6], multiplier[6]));
    result[i * 8 + 7] = te_saturate_int8(te_multiply_high(sums[7], multiplier[7]));
  }
}

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
    int32_t keys) {
  for (int32_t i = 0; i < rows; ++i) {
    int32_t top;
    int32_t total;
    int32_t offset;
    int32_t inverse;
    int32_t sums[8];
    top = INT32_MIN;
    for (int32_t t = 0; t < keys / 8; ++t) {
      sums[0] = 0;
      sums[1] = 0;
      sums[2] = 0;
      sums[3] = 0;
      sums[4] = 0;
      sums[5] = 0;
      sums[6] = 0;
      sums[7] = 0;
      for (int32_t c = 0; c < 8; ++c) {
        sums[0] += q[i * 8 + c] * k[t * 64 + c];
        sums[1] += q[i * 8 + c] * k[t * 64 + c + 8];
        sums[2] += q[i * 8 + c] * k[t * 64 + c + 16];
        sums[3] += q[i * 8 + c] * k[t * 64 + c + 24];
        sums[4] += q[i * 8 + c] * k[t * 64 + c + 32];
        sums[5] += q[i * 8 + c] * k[t * 64 + c + 40];
        sums[6] += q[i * 8 + c] * k[t * 64 + c + 48];
        sums[7] += q[i * 8 + c] * k[t * 64 + c + 56];
      }
      scores[t * 8] = sums[0];
      if (!hidden[t * 8]) {
        top = te_max(top, sums[0]);
      }
      scores[t * 8 + 1] = sums[1];
      if (!hidden[t * 8 + 1]) {
        top = te_max(top, sums[1]);
      }
      scores[t * 8 + 2] = sums[2];
      if (!hidden[t * 8 + 2]) {
        top = te_max(top, sums[2]);
      }
      scores[t * 8 + 3] = sums[3];
      if (!hidden[t * 8 + 3]) {
        top = te_max(top, sums[3]);
      }
      scores[t * 8 + 4] = sums[4];
      if (!hidden[t * 8 + 4]) {
        top = te_max(top, sums[4]);
      }
      scores[t * 8 + 5] = sums[5];
      if (!hidden[t * 8 + 5]) {
        top = te_max(top, sums[5]);
      }
      scores[t * 8 + 6] = sums[6];
      if (!hidden[t * 8 + 6]) {
        top = te_max(top, sums[6]);
      }
      scores[t * 8 + 7] = sums[7];
      if (!hidden[t * 8 + 7]) {
        top = te_max(top, sums[7]);
      }
    }
    for (int32_t j = 0; j < keys % 8; ++j) {
      sums[0] = 0;
      for (int32_t c = 0; c < 8; ++c) {
        sums[0] += q[i * 8 + c] * k[keys / 8 * 64 + j * 8 + c];
      }
      scores[keys / 8 * 8 + j] = sums[0];
      if (!hidden[keys / 8 * 8 + j]) {
        top = te_max(top, sums[0]);
      }
    }
    offset = te_rounding_offset(multiplier, 0);
    total = 0;
    for (int32_t j = 0; j < keys; ++j) {
      weights[j] = (int8_t)(hidden[j] ? 0 : table[te_min(te_multiply_high(top + offset - scores[j], multiplier), 255)]);
      total += weights[j];
    }
    inverse = numerator / te_max(total, 1);
    offset = te_rounding_offset(inverse, 1);
    sums[0] = offset;
    sums[1] = offset;
    sums[2] = offset;
    sums[3] = offset;
    sums[4] = offset;
    sums[5] = offset;
    sums[6] = offset;
    sums[7] = offset;
    for (int32_t j = 0; j < keys; ++j) {
      sums[0] += weights[j] * v[j * 8];
      sums[1] += weights[j] * v[j * 8 + 1];
      sums[2] += weights[j] * v[j * 8 + 2];
      sums[3] += weights[j] * v[j * 8 + 3];
      sums[4] += weights[j] * v[j * 8 + 4];
      sums[5] += weights[j] * v[j * 8 + 5];
      sums[6] += weights[j] * v[j * 8 + 6];
      sums[7] += weights[j] * v[j * 8 + 7];
    }
    result[i * 8] = te_saturate_int8(te_multiply_high(te_shift_left(sums[0], 1), inverse));
    result[i * 8 + 1] = te_saturate_int8(te_multiply_high(te_shift_left(sums[1], 1), inverse));
    result[i * 8 + 2] = te_saturate_int8(te_multiply_high(te_shift_left(sums[2], 1), inverse));
    result[i * 8 + 3] = te_saturate_int8(te_multiply_high(te_shift_left(sums[3], 1), inverse));
    result[i * 8 + 4] = te_saturate_int8(te_multiply_high(te_shift_left(sums[4], 1), inverse));
    result[i * 8 + 5] = te_saturate_int8(te_multiply_high(te_shift_left(sums[5], 1), inverse));
    result[i * 8 + 6] = te_saturate_int8(te_multiply_high(te_shift_left(sums[6], 1), inverse));
    result[i * 8 + 7] = te_saturate_int8(te_multiply_high(te_shift_left(sums[7], 1), inverse));
  }
}

void tvmgen_small_causal_convolution_kernel_0(
    const int8_t *restrict x,
    const int8_t *restrict weight,
    const int32_t *restrict bias,
    const int32_t *restrict multiplier,
    int8_t *restrict result,
    int32_t rows,
    int32_t before) {
  for (int32_t i = 0; i < rows; ++i) {
    int32_t sums[8];
    sums[0] = bias[0];
    sums[1] = bias[1];
    sums[2] = bias[2];
    sums[3] = bias[3];
    sums[4] = bias[4];
    sums[5] = bias[5];
    sums[6] = bias[6];
    sums[7] = bias[7];
    for (int32_t t = 0; t < te_min(before + i + 1, 3); ++t) {
      sums[0] += x[before * 8 + i * 8 - t * 8] * weight[16 - t * 8];
      sums[1] += x[before * 8 + i * 8 + 1 - t * 8] * weight[17 - t * 8];
      sums[2] += x[before * 8 + i * 8 + 2 - t * 8] * weight[18 - t * 8];
      sums[3] += x[before * 8 + i * 8 + 3 - t * 8] * weight[19 - t * 8];
      sums[4] += x[before * 8 + i * 8 + 4 - t * 8] * weight[20 - t * 8];
      sums[5] += x[before * 8 + i * 8 + 5 - t * 8] * weight[21 - t * 8];
      sums[6] += x[before * 8 + i * 8 + 6 - t * 8] * weight[22 - t * 8];
      sums[7] += x[before * 8 + i * 8 + 7 - t * 8] * weight[23 - t * 8];
    }
    result[i * 8] = te_saturate_int8(te_multiply_high(sums[0], multiplier[0]));
    result[i * 8 + 1] = te_saturate_int8(te_multiply_high(sums[1], multiplier[1]));
    result[i * 8 + 2] = te_saturate_int8(te_multiply_high(sums[2], multiplier[2]));
    result[i * 8 + 3] = te_saturate_int8(te_multiply_high(sums[3], multiplier[3]));
    result[i * 8 + 4] = te_saturate_int8(te_multiply_high(sums[4], multiplier[4]));
    result[i * 8 + 5] = te_saturate_int8(te_multiply_high(sums[5], multiplier[5]));
    result[i * 8 + 6] = te_saturate_int8(te_multiply_high(sums[6], multiplier[6]));
    result[i * 8 + 7] = te_saturate_int8(te_multiply_high(sums[7], multiplier[7]));
  }
}

void tvmgen_small_lookup_kernel_0(
    const int8_t *x,
    const int8_t *table,
    int8_t *result,
    int32_t rows) {
  for (int32_t i = 0; i < rows; ++i) {
    for (int32_t c = 0; c < 8; ++c) {
      result[i * 8 + c] = table[x[i * 8 + c] + 128];
    }
  }
}

void tvmgen_small_linear_kernel_2(
    const int8_t *restrict x0,
    const int8_t *restrict x1,
    const int8_t *restrict weight,
    const int32_t *restrict bias,
    const int32_t *restrict multiplier,
    int16_t *restrict result,
    int32_t rows) {
  for (int32_t i = 0; i < rows; ++i) {
    int32_t sums[8];
    sums[0] = bias[0];
    sums[1] = bias[1];
    sums[2] = bias[2];
    sums[3] = bias[3];
    sums[4] = bias[4];
    sums[5] = bias[5];
    sums[6] = bias[6];
    sums[7] = bias[7];
    for (int32_t k = 0; k < 8; ++k) {
      sums[0] += x0[i * 8 + k] * weight[k];
      sums[1] += x0[i * 8 + k] * weight[k + 16];
      sums[2] += x0[i * 8 + k] * weight[k + 32];
      sums[3] += x0[i * 8 + k] * weight[k + 48];
      sums[4] += x0[i * 8 + k] * weight[k + 64];
      sums[5] += x0[i * 8 + k] * weight[k + 80];
      sums[6] += x0[i * 8 + k] * weight[k + 96];
      sums[7] += x0[i * 8 + k] * weight[k + 112];
    }
    for (int32_t k = 0; k < 8; ++k) {
      sums[0] += x1[i * 8 + k] * weight[k + 8];
      sums[1] += x1[i * 8 + k] * weight[k + 24];
      sums[2] += x1[i * 8 + k] * weight[k + 40];
      sums[3] += x1[i * 8 + k] * weight[k + 56];
      sums[4] += x1[i * 8 + k] * weight[k + 72];
      sums[5] += x1[i * 8 + k] * weight[k + 88];
      sums[6] += x1[i * 8 + k] * weight[k + 104];
      sums[7] += x1[i * 8 + k] * weight[k + 120];
    }
    result[i * 8] = te_saturate_int16(te_multiply_high(sums[0], multiplier[0]));
    result[i * 8 + 1] = te_saturate_int16(te_multiply_high(sums[1], multiplier[1]));
    result[i * 8 + 2] = te_saturate_int16(te_multiply_high(sums[2], multiplier[2]));
    result[i * 8 + 3] = te_saturate_int16(te_multiply_high(sums[3], multiplier[3]));
    result[i * 8 + 4] = te_saturate_int16(te_multiply_high(sums[4], multiplier[4]));
    result[i * 8 + 5] = te_saturate_int16(te_multiply_high(sums[5], multiplier[5]));
    result[i * 8 + 6] = te_saturate_int16(te_multiply_high(sums[6], multiplier[6]));
    result[i * 8 + 7] = te_saturate_int16(te_multiply_high(sums[7], multiplier[7]));
  }
}

void tvmgen_small_linear_kernel_3(
    const int16_t *restrict x0,
    const int8_t *restrict weight,
    const int32_t *restrict bias,
    const int32_t *restrict multiplier,
    int16_t *restrict result,
    int32_t rows) {
  for (int32_t i = 0; i < rows; ++i) {
    for (int32_t block = 0; block < 3; ++block) {
      int32_t sums;
      sums = bias[block];
      for (int32_t k = 0; k < 8; ++k) {
        sums += x0[i * 8 + k] * weight[block * 8 + k];
      }
      result[i * 3 + block] = te_saturate_int16(te_multiply_high(sums, multiplier[block]));
    }
  }
}
