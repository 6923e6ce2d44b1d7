/* Ticks of each step of an inference, in a profiling image. */
#ifndef HARNESS_PROFILE_H
#define HARNESS_PROFILE_H

#include "harness_protocol.h"

#include <stdbool.h>

#define HARNESS_MAX_STEPS 1024u

/* Forgets all marks; the next ones follow a counter_start. */
void profile_start(void);

/* Ticks that HARNESS_MARK_SAMPLES marks take, measured. */
uint32_t profile_mark_ticks(void);

/* True if there was room for all steps, and the last mark was the end's. */
bool profile_complete(void);

/* Number of steps, and the ticks of each. */
uint32_t profile_steps(void);
const harness_step_ticks *profile_ticks(void);

#endif
