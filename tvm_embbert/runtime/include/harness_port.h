/* What the harness needs of the place it runs in: a stream to the host and back, and an end. */
#ifndef HARNESS_PORT_H
#define HARNESS_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Opens the stream; false if the host's side is missing. */
bool port_open(void);

/* Reads exactly `size` bytes; false at the end of the stream. */
bool port_read(void *data, size_t size);

/* Writes exactly `size` bytes; false if the host does not take them. */
bool port_write(const void *data, size_t size);

/* Ends the image; `failed` tells the emulator's exit status. On a board the image starts again once
 * the host begins another session. */
__attribute__((noreturn)) void port_exit(bool failed);

/* Sends a frame's header; `size` bytes of payload must follow. */
bool harness_begin(uint16_t type, size_t size);

/* Sends a whole frame. */
bool harness_send(uint16_t type, const void *payload, size_t size);

/* Serves requests until the host asks to quit; called by the startup code. */
__attribute__((noreturn)) void harness_main(void);

#endif
