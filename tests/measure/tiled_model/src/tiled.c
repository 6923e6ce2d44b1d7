/* See tvmgen_tiled.h. */
#include "tiled_parts.h"

#include <string.h>

#ifndef TVMGEN_STEP
#define TVMGEN_STEP(index) ((void)0)
#endif

/* Two instructions a turn on every emulated core. */
static void loop(uint32_t turns) {
#if defined(__arm__)
  __asm__ volatile("1: subs %0, %0, #1\n"
                   "bne 1b\n"
                   : "+r"(turns)
                   :
                   : "cc");
#elif defined(__riscv)
  __asm__ volatile("1: addi %0, %0, -1\n"
                   "bnez %0, 1b\n"
                   : "+r"(turns));
#else
  for (volatile uint32_t turn = 0u; turn < turns; ++turn) {
  }
#endif
}

/* Needs the compiler's library on a 32-bit core; not inlined, to have a frame of its own. */
static __attribute__((noinline)) int64_t tiled_divide(int64_t a, int64_t b) {
  volatile int64_t rows[4];
  for (int32_t i = 0; i < 4; ++i) {
    rows[i] = (a + tiled_offsets[i]) / b;
  }
  return rows[0] + rows[3];
}

static int32_t check(const void *pool, size_t size, size_t needed, int32_t error) {
  const size_t offset = (uintptr_t)pool % TVMGEN_TILED_WORKSPACE_POOL_ALIGNMENT;
  return pool == NULL || size < needed || offset != 0u ? error : 0;
}

static int32_t misbehave(const int32_t *ids, int32_t length, uint8_t *const pools[2]) {
  if (length < 3) {
    return 0;
  }
  if (ids[0] == TILED_ID_WRITE) {
    uint8_t *volatile const pool = pools[ids[1]];
    pool[ids[2]] = (uint8_t)(pool[ids[2]] ^ 0x55u);
  }
  return ids[0] == TILED_ID_OVERFLOW ? ids[1] + ids[2] : 0;
}

/* Long steps and very short ones, in an order that is not that of their numbers. */
static void run_steps(uint8_t *dtcm, uint8_t *sram) {
  TVMGEN_STEP(0);
  memset(dtcm, 1, TVMGEN_TILED_DTCM_WORKSPACE_POOL_SIZE);
  memset(sram, 2, TVMGEN_TILED_SRAM_WORKSPACE_POOL_SIZE);
  for (uint32_t tile = 0u; tile < TILED_TILES; ++tile) {
    TVMGEN_STEP(1);
    loop(TILED_LONG);
    for (uint32_t row = 0u; row < TILED_ROWS; ++row) {
      TVMGEN_STEP(2);
      loop(TILED_SHORT);
      TVMGEN_STEP(3);
      sram[row] = (uint8_t)tiled_divide(sram[row], (int64_t)row + 1);
    }
    if (tile % 2u == 1u) {
      TVMGEN_STEP(4);
      loop(TILED_LONG);
    }
  }
}

int32_t tvmgen_tiled_infer(const int32_t *ids, int32_t length, int16_t *logits, void *dtcm,
                           size_t dtcm_size, void *sram, size_t sram_size) {
  int32_t status =
      check(dtcm, dtcm_size, TVMGEN_TILED_DTCM_WORKSPACE_POOL_SIZE, TVMGEN_TILED_ERROR_DTCM) +
      check(sram, sram_size, TVMGEN_TILED_SRAM_WORKSPACE_POOL_SIZE, TVMGEN_TILED_ERROR_SRAM);
  if (length < 1 || length > TVMGEN_TILED_MAX_LENGTH) {
    status += -1;
  }
  if (status != 0) {
    return status;
  }
  uint8_t *const pools[2] = {dtcm, sram};
  uint32_t sum = (uint32_t)misbehave(ids, length, pools) & 1u;
  run_steps(dtcm, sram);
  TVMGEN_STEP(5);
  for (int32_t i = 0; i < length; ++i) {
    sum += (uint32_t)ids[i];
  }
  for (int32_t i = 0; i < TVMGEN_TILED_NUM_OUTPUTS; ++i) {
    logits[i] = (int16_t)((int32_t)sum + tiled_weights[i]);
  }
  if (ids[0] == TILED_ID_STEPS && length > 1) {
    TVMGEN_STEP(ids[1]);
  }
  TVMGEN_STEP(ids[0] == TILED_ID_NO_END ? 3 : 6);
  return 0;
}
