/* Included before every source of a model in a profiling build: makes each step leave a mark. */
#ifndef HARNESS_STEP_H
#define HARNESS_STEP_H

#include <stdint.h>

/* Ends the step of the mark before and begins step `index`; steps may come in any order and any
 * number of times. The last mark, with the number of steps, marks the end. */
void harness_step(uint32_t index);

#define TVMGEN_STEP(index) harness_step((uint32_t)(index))

#endif
