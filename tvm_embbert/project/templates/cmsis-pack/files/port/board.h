/* The board around the programs: what main calls, and what the validation firmware asks of it. */
#ifndef BOARD_H
#define BOARD_H

/* Brings the console up; the first thing that main does. */
void board_open(void);

/* Resets the board. */
__attribute__((noreturn)) void board_restart(void);

#endif
