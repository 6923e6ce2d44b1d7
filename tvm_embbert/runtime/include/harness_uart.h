/* A board's UART, as the harness needs it: a driver of your own is one C source with these three.
 *
 * It is compiled with
 *   HARNESS_UART_BASE      address of the UART's registers, `base` in the device's file
 *   HARNESS_UART_CLOCK_HZ  frequency that the UART divides, `clock_hz` there
 *   HARNESS_UART_STRIDE    bytes from one register to the next, `stride` there
 *   HARNESS_UART_BAUD      bits in a second; 8 bits, no parity, one stop bit, no flow control
 * each 0u where the file does not say it, and with the warnings of all other sources. It may use no
 * interrupts, recursion or pointers to functions: the stack is as large as its calls need.
 */
#ifndef HARNESS_UART_H
#define HARNESS_UART_H

#include <stdint.h>

/* Brings clocks, pins and UART up; the first thing that runs after the start-up code. It may be
 * called again without a reset. */
void harness_uart_init(void);

/* Returns the next byte, 0 to 255; or -1 if none came within a time of its choice, which may be
 * none at all: the caller asks again. */
int32_t harness_uart_read(void);

/* Sends a byte, and waits until there is room for it. */
void harness_uart_write(uint8_t byte);

#endif
