/* The integer arithmetic of compiled models: what quantize/arithmetic.py defines, in C99.
 *
 * Every target gives the same bytes. Right shifts of negative values are arithmetic, as in every
 * compiler that these cores have (C99 leaves that to the implementation).
 */
#ifndef TVM_EMBBERT_ARITHMETIC_H
#define TVM_EMBBERT_ARITHMETIC_H

#include <stdint.h>

static inline int32_t te_min(int32_t a, int32_t b) { return a < b ? a : b; }

static inline int32_t te_max(int32_t a, int32_t b) { return a > b ? a : b; }

/* floor(a * b / 2^32): one instruction on Armv7E-M and RV32M. */
static inline int32_t te_multiply_high(int32_t a, int32_t b) {
  return (int32_t)(((int64_t)a * (int64_t)b) >> 32);
}

/* a * 2^bits, for results that fit. */
static inline int32_t te_shift_left(int32_t a, int32_t bits) { return a * (int32_t)(1 << bits); }

/* round(a / 2^bits), halves up; bits is 1 to 30 and |a| at most 2^30. */
static inline int32_t te_round_shift(int32_t a, int32_t bits) {
  return (a + (int32_t)(1 << (bits - 1))) >> bits;
}

/* Armv7-M has an instruction that compilers miss here; loops over vectors are left to them. */
#if defined(__GNUC__) && defined(__thumb2__) && !defined(__ARM_FEATURE_MVE)
static inline int8_t te_saturate_int8(int32_t a) {
  int32_t saturated;
  __asm__("ssat %0, #8, %1" : "=r"(saturated) : "r"(a));
  return (int8_t)saturated;
}

static inline int16_t te_saturate_int16(int32_t a) {
  int32_t saturated;
  __asm__("ssat %0, #16, %1" : "=r"(saturated) : "r"(a));
  return (int16_t)saturated;
}
#else
static inline int8_t te_saturate_int8(int32_t a) { return (int8_t)te_max(te_min(a, 127), -128); }

static inline int16_t te_saturate_int16(int32_t a) {
  return (int16_t)te_max(te_min(a, 32767), -32768);
}
#endif

/* Half a unit of (a << shift) * multiplier / 2^32, in units of a. */
static inline int32_t te_rounding_offset(int32_t multiplier, int32_t shift) {
  const uint32_t half = multiplier > 0 ? (UINT32_C(1) << 31) / (uint32_t)multiplier : 0u;
  const uint32_t offset = half >> shift;
  const uint32_t largest = UINT32_C(1) << 30;
  return (int32_t)(offset < largest ? offset : largest);
}

/* floor(sqrt(x)), bit by bit. */
static inline uint32_t te_integer_square_root(uint32_t x) {
  uint32_t root = 0;
  for (uint32_t bit = UINT32_C(1) << 30; bit != 0; bit >>= 2) {
    const uint32_t tried = root + bit;
    root >>= 1;
    if (x >= tried) {
      x -= tried;
      root += bit;
    }
  }
  return root;
}

/* The even e for which x = t * 2^e with t in 2^30 to 2^32 - 1; x is 1 to 2^47. */
static inline int32_t te_norm_exponent(int64_t x) {
  int32_t bits = 0;
  for (uint64_t rest = (uint64_t)x; rest != 0; rest >>= 1) {
    ++bits;
  }
  return bits - 32 + (bits & 1);
}

/* gain / sqrt(t), 15 significant bits, for the t of te_norm_exponent. */
static inline int32_t te_norm_multiplier(int64_t x, int32_t gain) {
  const int32_t exponent = te_norm_exponent(x);
  const uint64_t t = exponent > 0 ? (uint64_t)x >> exponent : (uint64_t)x << -exponent;
  const uint32_t inverse = (UINT32_C(1) << 31) / te_integer_square_root((uint32_t)t);
  return (int32_t)(((uint32_t)gain * inverse) >> 16);
}

/* The shift that goes with te_norm_multiplier, for a gain of gain / 2^shift. */
static inline int32_t te_norm_shift(int64_t x, int32_t shift) {
  return shift + 15 + te_norm_exponent(x) / 2;
}

/* Functions with assembly that changes RISC-V's vector registers, and the end of its clobbers. GCC
 * 12 has no names for these and uses none itself: it must not look into the function. */
#ifdef __clang__
#define TE_VECTOR_FUNCTION __attribute__((noinline))
#define TE_VECTOR_CLOBBERS                                                                         \
  , "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", \
      "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27",   \
      "v28", "v29", "v30", "v31"
#else
#define TE_VECTOR_FUNCTION __attribute__((noipa))
#define TE_VECTOR_CLOBBERS
#endif

#endif
