/* The forbidden addresses below the stack. */
#ifndef HARNESS_STACK_GUARD_H
#define HARNESS_STACK_GUARD_H

/* Bytes: a power of two, much wider than frames are, lest one reach over it. */
#define STACK_GUARD_SIZE 0x8000u

#endif
