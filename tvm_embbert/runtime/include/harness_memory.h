/* The stack, and the addresses that the linker script gives. */
#ifndef HARNESS_MEMORY_H
#define HARNESS_MEMORY_H

#include <stdint.h>

/* 1 if the image answers HARNESS_PROFILE, else 0. */
#ifndef HARNESS_PROFILING
#define HARNESS_PROFILING 0
#endif

/* 0 where several images share the memory and one's guard would forbid what is another's. */
#ifndef HARNESS_STACK_GUARD
#define HARNESS_STACK_GUARD 1
#endif

/* What the unused stack is filled with at the start. */
#define HARNESS_STACK_PAINT 0xA5C35A3Cu

/* The stack's lowest word and its end; in a debug image the lowest bytes are a guard. */
extern uint32_t harness_stack[], harness_stack_end[];

/* Paints the unused stack, copies the initial values of variables and clears the others. */
void memory_start(void);

/* Bytes of the stack, the guard included. */
uint32_t harness_stack_size(void);

/* The most bytes of stack that were in use at any time so far. */
uint32_t harness_stack_used(void);

#endif
