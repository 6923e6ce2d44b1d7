/* The stack and the addresses that the linker script gives. */
#ifndef HARNESS_MEMORY_H
#define HARNESS_MEMORY_H

#include <stdint.h>

/* Bytes of the stack; the build defines it, a multiple of 8. */
#ifndef HARNESS_STACK_SIZE
#error "define HARNESS_STACK_SIZE"
#endif

/* 1 if the image answers HARNESS_PROFILE, else 0. */
#ifndef HARNESS_PROFILING
#define HARNESS_PROFILING 0
#endif

/* What the unused stack is filled with at the start. */
#define HARNESS_STACK_PAINT 0xA5C35A3Cu

/* The most bytes of stack that were in use at any time so far. */
uint32_t harness_stack_used(void);

#endif
