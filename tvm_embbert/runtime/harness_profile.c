/* Adds up the ticks of each step, however often and in whatever order the steps come. */
#include "harness_profile.h"
#include "harness_counter.h"
#include "harness_step.h"

/* The last one takes what comes before the first mark, and the steps that are too many. */
static harness_step_ticks ticks[HARNESS_MAX_STEPS + 1u];
static uint32_t current;
static uint32_t greatest;
static uint64_t since;

/* Not inlined into the measurement of itself. The same instructions for every index, so that each
 * mark takes as long as the measured ones. */
__attribute__((noinline)) void harness_step(uint32_t index) {
  const uint64_t now = counter_ticks();
  ticks[current].ticks += now - since;
  ++ticks[current].marks;
  current = index < HARNESS_MAX_STEPS ? index : HARNESS_MAX_STEPS;
  greatest = index > greatest ? index : greatest;
  since = now;
}

void profile_start(void) {
  for (uint32_t i = 0u; i <= HARNESS_MAX_STEPS; ++i) {
    ticks[i].ticks = 0u;
    ticks[i].marks = 0u;
  }
  current = HARNESS_MAX_STEPS;
  greatest = 0u;
  since = 0u;
}

/* Unrolled, as the marks of a model stand alone, too. */
#define FOUR_MARKS() (harness_step(0u), harness_step(0u), harness_step(0u), harness_step(0u))
#define SIXTEEN_MARKS() (FOUR_MARKS(), FOUR_MARKS(), FOUR_MARKS(), FOUR_MARKS())

uint32_t profile_mark_ticks(void) {
  profile_start();
  counter_start();
  harness_step(0u);
  for (uint32_t done = 0u; done < HARNESS_MARK_SAMPLES; done += 16u) {
    SIXTEEN_MARKS();
  }
  return (uint32_t)ticks[0].ticks;
}

bool profile_complete(void) { return greatest <= HARNESS_MAX_STEPS && current == greatest; }

uint32_t profile_steps(void) { return greatest; }

const harness_step_ticks *profile_ticks(void) { return ticks; }
