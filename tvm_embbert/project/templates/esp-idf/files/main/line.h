/* The console's line, as bytes: a UART, or the chip's own USB port, as Kconfig says. */
#ifndef LINE_H
#define LINE_H

#include <stddef.h>
#include <stdint.h>

/* Installs the driver; called once, before all else. */
void line_open(void);

/* Returns the next byte, or -1 if none came for a short while, in which other tasks run. */
int32_t line_read(void);

/* Writes bytes, and waits until there is room for them. */
void line_write(const void *bytes, size_t size);

#endif
