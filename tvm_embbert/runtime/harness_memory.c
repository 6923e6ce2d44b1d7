/* What both stack and variables are before anything else runs, and how much stack was used. */
#include "harness_memory.h"
#include "harness_arena.h"
#include "harness_machine.h"

/* By the linker script. */
extern uint32_t __data_start[], __data_end[], __bss_start[], __bss_end[];
extern const uint32_t __data_load[];

/* The lowest word of the stack that may be used. */
#define STACK_BOTTOM (harness_stack + GUARD_BYTES / sizeof(uint32_t))

static void fill_memory(void) {
  const uint32_t *from = __data_load;
  for (uint32_t *to = __data_start; to < __data_end; ++to) {
    *to = *from++;
  }
  for (uint32_t *to = __bss_start; to < __bss_end; ++to) {
    *to = 0u;
  }
}

/* Paints what lies below the caller's frame; volatile, lest it become a call that uses it. */
static void paint_stack(void) {
  const uintptr_t top = machine_stack_pointer();
  for (volatile uint32_t *word = STACK_BOTTOM; (uintptr_t)word < top; ++word) {
    *word = HARNESS_STACK_PAINT;
  }
}

void memory_start(void) {
  paint_stack();
  fill_memory();
}

uint32_t harness_stack_size(void) {
  return (uint32_t)((uintptr_t)harness_stack_end - (uintptr_t)harness_stack);
}

uint32_t harness_stack_used(void) {
  const volatile uint32_t *word = STACK_BOTTOM;
  while (word < harness_stack_end && *word == HARNESS_STACK_PAINT) {
    ++word;
  }
  return (uint32_t)((uintptr_t)harness_stack_end - (uintptr_t)word);
}
