/* The model with memory of its own. */
#ifndef APP_RUN_H
#define APP_RUN_H

#include <stdint.h>

/* What the last call counted, see app_port.h. */
extern uint64_t app_run_count;

/* Runs the model; returns its code, 0 for success. */
int32_t app_run(const int32_t *ids, int32_t length, int16_t *logits);

#endif
