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
    for (int32_t block = 0; block < 2; ++block) {
      int32_t sums[4];
      sums[0] = bias[index[i] * 8 + block * 4];
      sums[1] = bias[index[i] * 8 + block * 4 + 1];
      sums[2] = bias[index[i] * 8 + block * 4 + 2];
      sums[3] = bias[index[i] * 8 + block * 4 + 3];
      for (int32_t k = 0; k < 4; ++k) {
        sums[0] += x0[i * 4 + k] * weight[block * 32 + k];
        sums[1] += x0[i * 4 + k] * weight[block * 32 + k + 8];
        sums[2] += x0[i * 4 + k] * weight[block * 32 + k + 16];
        sums[3] += x0[i * 4 + k] * weight[block * 32 + k + 24];
      }
      for (int32_t k = 0; k < 4; ++k) {
        sums[0] += x1[i * 4 + k] * weight[block * 32 + k + 4];
        sums[1] += x1[i * 4 + k] * weight[block * 32 + k + 12];
        sums[2] += x1[i * 4 + k] * weight[block * 32 + k + 20];
        sums[3] += x1[i * 4 + k] * weight[block * 32 + k + 28];
      }
      result[i * 8 + block * 4] = te_saturate_int16(te_multiply_high(sums[0], multiplier[block * 4]));
      result[i * 8 + block * 4 + 1] = te_saturate_int16(te_multiply_high(sums[1], multiplier[block * 4 + 1]));
      result[i * 8 + block * 4 + 2] = te_saturate_int16(te_multiply_high(sums[2], multiplier[block * 4 + 2]));
      result[i * 8 + block * 4 + 3] = te_saturate_int16(te_multiply_high(sums[3], multiplier[block * 4 + 3]));
    }
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
    for (int32_t block = 0; block < 2; ++block) {
      int32_t sums[4];
      sums[0] = bias[block * 4];
      sums[1] = bias[block * 4 + 1];
      sums[2] = bias[block * 4 + 2];
      sums[3] = bias[block * 4 + 3];
      for (int32_t k = 0; k < 8; ++k) {
        sums[0] += x0[i * 8 + k] * weight[block * 32 + k];
        sums[1] += x0[i * 8 + k] * weight[block * 32 + k + 8];
        sums[2] += x0[i * 8 + k] * weight[block * 32 + k + 16];
        sums[3] += x0[i * 8 + k] * weight[block * 32 + k + 24];
      }
      result[i * 8 + block * 4] = te_saturate_int8(te_multiply_high(sums[0], multiplier[block * 4]));
      result[i * 8 + block * 4 + 1] = te_saturate_int8(te_multiply_high(sums[1], multiplier[block * 4 + 1]));
      result[i * 8 + block * 4 + 2] = te_saturate_int8(te_multiply_high(sums[2], multiplier[block * 4 + 2]));
      result[i * 8 + block * 4 + 3] = te_saturate_int8(te_multiply_high(sums[3], multiplier[block * 4 + 3]));
    }
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
    int32_t sums[4];
    top = INT32_MIN;
    for (int32_t j = 0; j < keys; ++j) {
      sums[0] = 0;
      for (int32_t c = 0; c < 2; ++c) {
        sums[0] += q[i * 8 + c * 4] * k[j * 8 + c * 4];
        sums[0] += q[i * 8 + c * 4 + 1] * k[j * 8 + c * 4 + 1];
        sums[0] += q[i * 8 + c * 4 + 2] * k[j * 8 + c * 4 + 2];
        sums[0] += q[i * 8 + c * 4 + 3] * k[j * 8 + c * 4 + 3];
      }
      scores[j] = sums[0];
      if (!hidden[j]) {
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
    for (int32_t block = 0; block < 2; ++block) {
      sums[0] = offset;
      sums[1] = offset;
      sums[2] = offset;
      sums[3] = offset;
      for (int32_t j = 0; j < keys; ++j) {
        sums[0] += weights[j] * v[j * 8 + block * 4];
        sums[1] += weights[j] * v[j * 8 + block * 4 + 1];
        sums[2] += weights[j] * v[j * 8 + block * 4 + 2];
        sums[3] += weights[j] * v[j * 8 + block * 4 + 3];
      }
      result[i * 8 + block * 4] = te_saturate_int8(te_multiply_high(te_shift_left(sums[0], 1), inverse));
      result[i * 8 + block * 4 + 1] = te_saturate_int8(te_multiply_high(te_shift_left(sums[1], 1), inverse));
      result[i * 8 + block * 4 + 2] = te_saturate_int8(te_multiply_high(te_shift_left(sums[2], 1), inverse));
      result[i * 8 + block * 4 + 3] = te_saturate_int8(te_multiply_high(te_shift_left(sums[3], 1), inverse));
    }
  }
}

void tvmgen_small_causal_convolution_kernel_0(
    const int8_t *restrict x,
    const int8_t *restrict weight,
    const int32_t *restrict bias,
    const int32_t *restrict multiplier,
    int8_t *restrict result,
    int32_t rows) {
  for (int32_t i = 0; i < rows; ++i) {
    for (int32_t block = 0; block < 2; ++block) {
      int32_t sums[4];
      sums[0] = bias[block * 4];
      sums[1] = bias[block * 4 + 1];
      sums[2] = bias[block * 4 + 2];
      sums[3] = bias[block * 4 + 3];
      for (int32_t t = 0; t < te_min(i + 1, 3); ++t) {
        sums[0] += x[i * 8 + block * 4 - t * 8] * weight[block * 4 + 16 - t * 8];
        sums[1] += x[i * 8 + block * 4 + 1 - t * 8] * weight[block * 4 + 17 - t * 8];
        sums[2] += x[i * 8 + block * 4 + 2 - t * 8] * weight[block * 4 + 18 - t * 8];
        sums[3] += x[i * 8 + block * 4 + 3 - t * 8] * weight[block * 4 + 19 - t * 8];
      }
      result[i * 8 + block * 4] = te_saturate_int8(te_multiply_high(sums[0], multiplier[block * 4]));
      result[i * 8 + block * 4 + 1] = te_saturate_int8(te_multiply_high(sums[1], multiplier[block * 4 + 1]));
      result[i * 8 + block * 4 + 2] = te_saturate_int8(te_multiply_high(sums[2], multiplier[block * 4 + 2]));
      result[i * 8 + block * 4 + 3] = te_saturate_int8(te_multiply_high(sums[3], multiplier[block * 4 + 3]));
    }
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
    for (int32_t block = 0; block < 2; ++block) {
      int32_t sums[4];
      sums[0] = bias[block * 4];
      sums[1] = bias[block * 4 + 1];
      sums[2] = bias[block * 4 + 2];
      sums[3] = bias[block * 4 + 3];
      for (int32_t k = 0; k < 8; ++k) {
        sums[0] += x0[i * 8 + k] * weight[block * 64 + k];
        sums[1] += x0[i * 8 + k] * weight[block * 64 + k + 16];
        sums[2] += x0[i * 8 + k] * weight[block * 64 + k + 32];
        sums[3] += x0[i * 8 + k] * weight[block * 64 + k + 48];
      }
      for (int32_t k = 0; k < 8; ++k) {
        sums[0] += x1[i * 8 + k] * weight[block * 64 + k + 8];
        sums[1] += x1[i * 8 + k] * weight[block * 64 + k + 24];
        sums[2] += x1[i * 8 + k] * weight[block * 64 + k + 40];
        sums[3] += x1[i * 8 + k] * weight[block * 64 + k + 56];
      }
      result[i * 8 + block * 4] = te_saturate_int16(te_multiply_high(sums[0], multiplier[block * 4]));
      result[i * 8 + block * 4 + 1] = te_saturate_int16(te_multiply_high(sums[1], multiplier[block * 4 + 1]));
      result[i * 8 + block * 4 + 2] = te_saturate_int16(te_multiply_high(sums[2], multiplier[block * 4 + 2]));
      result[i * 8 + block * 4 + 3] = te_saturate_int16(te_multiply_high(sums[3], multiplier[block * 4 + 3]));
    }
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
