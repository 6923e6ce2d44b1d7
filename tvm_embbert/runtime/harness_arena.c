/* The storage of the model's pools, and in a debug image its guards. */
#include "harness_arena.h"
#include "harness_memory.h"

/* Named .bss so that the image carries no bytes for it; the linker script moves it to .arena. */
#define ARENA_DEFINITION(pool, size)                                                               \
  __attribute__((section(".bss.harness_arena_" #pool), aligned(MODEL_POOL_ALIGNMENT))) uint8_t     \
      arena_##pool[GUARD_FRONT + (size) + GUARD_BYTES];
MODEL_POOLS(ARENA_DEFINITION)

#if HARNESS_CANARIES

typedef struct {
  const char *name;
  uint8_t *bytes;
  uint32_t behind;
} guard;

#define POOL_GUARDS(pool, size)                                                                    \
  {#pool, arena_##pool + GUARD_FRONT - GUARD_BYTES, 0u},                                           \
      {#pool, arena_##pool + GUARD_FRONT + (size), 1u},

/* The stack grows down: only its far end, the lowest, can be run over. */
static const guard guards[] = {MODEL_POOLS(POOL_GUARDS){"stack", (uint8_t *)harness_stack, 0u}};

#define GUARD_COUNT (sizeof(guards) / sizeof(guards[0]))

/* Differs from byte to byte: neither zeros nor a row of equal values pass for it. */
static uint8_t guard_byte(uint32_t index) { return (uint8_t)(0xA5u ^ (index * 29u)); }

void guards_write(void) {
  for (uint32_t i = 0u; i < GUARD_COUNT; ++i) {
    for (uint32_t j = 0u; j < GUARD_BYTES; ++j) {
      guards[i].bytes[j] = guard_byte(j);
    }
  }
}

static bool intact(const guard *one) {
  for (uint32_t j = 0u; j < GUARD_BYTES; ++j) {
    if (one->bytes[j] != guard_byte(j)) {
      return false;
    }
  }
  return true;
}

static void describe(const guard *broken, harness_error *error) {
  error->code = HARNESS_ERROR_GUARD;
  error->behind = broken->behind;
  for (uint32_t i = 0u; i < HARNESS_NAME_SIZE - 1u && broken->name[i] != '\0'; ++i) {
    error->name[i] = broken->name[i];
  }
}

bool guards_intact(harness_error *error) {
  for (uint32_t i = 0u; i < GUARD_COUNT; ++i) {
    if (!intact(&guards[i])) {
      describe(&guards[i], error);
      return false;
    }
  }
  return true;
}

#endif
