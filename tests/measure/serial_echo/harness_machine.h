/* Starts the program again, as a board does for a new session. */
#ifndef HARNESS_MACHINE_H
#define HARNESS_MACHINE_H

__attribute__((noreturn)) void machine_restart(void);

#endif
