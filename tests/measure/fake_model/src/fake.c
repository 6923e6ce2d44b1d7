/* See tvmgen_fake.h. */
#include "fake_parts.h"

#include <string.h>
#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>
#endif

#ifndef TVMGEN_STEP
#define TVMGEN_STEP(index) ((void)0)
#endif

#define STEP_LOOPS 100000
#define UNMAPPED 0xF0000000u

/* Two instructions a turn on every emulated core. */
static void loop(uint32_t turns) {
#if defined(__arm__)
  if (turns > 0u) {
    __asm__ volatile("1: subs %0, %0, #1\n"
                     "bne 1b\n"
                     : "+r"(turns)
                     :
                     : "cc");
  }
#elif defined(__riscv)
  if (turns > 0u) {
    __asm__ volatile("1: addi %0, %0, -1\n"
                     "bnez %0, 1b\n"
                     : "+r"(turns));
  }
#else
  for (volatile uint32_t turn = 0u; turn < turns; ++turn) {
  }
#endif
}

/* Not inlined, lest its frame be part of every call. */
static __attribute__((noinline)) int32_t overflow(int32_t depth) {
  volatile int32_t block[64];
  block[depth & 63] = depth;
  if (depth == INT32_MAX) {
    return 0;
  }
  return overflow(depth + 1) + block[depth & 63];
}

static int32_t divide(int32_t one) {
#if defined(__arm__)
  int32_t result;
  __asm__ volatile("sdiv %0, %1, %2" : "=r"(result) : "r"(one), "r"(0));
  return result;
#else
  return one;
#endif
}

static void misbehave(const int32_t *ids, int32_t length) {
  switch (ids[0]) {
  case FAKE_ID_LOOP:
    loop(length > 1 ? (uint32_t)ids[1] : 0u);
    break;
  case FAKE_ID_CRASH:
    (void)*(const volatile uint32_t *)(uintptr_t)UNMAPPED;
    break;
  case FAKE_ID_HANG:
    for (;;) {
      loop(1000u);
    }
  case FAKE_ID_OVERFLOW:
    fake_cleared = overflow(0);
    break;
  case FAKE_ID_DIVIDE:
    fake_cleared = divide(1);
    break;
  default:
    break;
  }
}

/* Floating point, so that the FPU (or MVE, where the compiler uses it) must be on. */
static float scale(const int16_t *weights, float *buffer) {
  float sum = 0.0F;
  for (int32_t i = 0; i < TVMGEN_FAKE_NUM_OUTPUTS; ++i) {
    buffer[i] = (float)weights[i] * fake_scales[i & 3];
    sum += buffer[i];
  }
  return sum;
}

/* Needs the vector unit where there is one. */
static int32_t four_times(int32_t value) {
#if defined(__ARM_FEATURE_MVE)
  return vaddvq_s32(vdupq_n_s32(value));
#elif defined(__riscv_zve32x)
  int32_t sum;
  __asm__ volatile("vsetivli zero, 4, e32, m1, ta, ma\n"
                   "vmv.v.x v1, %1\n"
                   "vmv.s.x v2, zero\n"
                   "vredsum.vs v2, v1, v2\n"
                   "vmv.x.s %0, v2\n"
                   : "=r"(sum)
                   : "r"(value));
  return sum;
#else
  return 4 * value;
#endif
}

int32_t tvmgen_fake_infer(const int32_t *ids, int32_t length, int16_t *logits, void *arena,
                          size_t arena_size) {
  int32_t sum = 0;
  if (length < 1 || length > TVMGEN_FAKE_MAX_LENGTH) {
    return TVMGEN_FAKE_ERROR_LENGTH;
  }
  if (arena_size < TVMGEN_FAKE_WORKSPACE_POOL_SIZE) {
    return TVMGEN_FAKE_ERROR_ARENA;
  }
  if (fake_initialised != 12345 || fake_cleared != 0) {
    return -100;
  }
  misbehave(ids, length);
  TVMGEN_STEP(0);
  memset(arena, 0, arena_size);
  TVMGEN_STEP(1);
  loop(STEP_LOOPS);
  for (int32_t i = 0; i < length; ++i) {
    sum += ids[i];
  }
  TVMGEN_STEP(2);
  if (scale(fake_weights, (float *)arena) <= 0.0F || four_times(length) != 4 * length) {
    return -101;
  }
  for (int32_t i = 0; i < TVMGEN_FAKE_NUM_OUTPUTS; ++i) {
    logits[i] = (int16_t)(sum + fake_weights[i]);
  }
  TVMGEN_STEP(3);
  return 0;
}
