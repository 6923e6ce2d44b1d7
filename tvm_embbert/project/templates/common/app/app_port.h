/* What the programs need of the board: a console and a counter. Write these for a board of your own. */
#ifndef APP_PORT_H
#define APP_PORT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define APP_PORT_NOTHING (-1)
#define APP_PORT_END (-2)

/* The next byte of the console, 0 to 255; APP_PORT_NOTHING if none has come yet; APP_PORT_END if none
 * ever will. */
int app_port_read(void);

/* Writes some bytes to the console. */
void app_port_write(const char *text, size_t size);

/* Runs the counter from 0, and tells what it counted since. */
void app_port_count(void);
uint64_t app_port_counted(void);

/* What it counts: "cycles", "instructions", "us" or the like. */
const char *app_port_unit(void);

#ifdef __cplusplus
}
#endif

#endif
