/* How the validation starts again. */
#ifndef HARNESS_MACHINE_H
#define HARNESS_MACHINE_H

#include "esp_system.h"

static inline __attribute__((noreturn)) void machine_restart(void) { esp_restart(); }

#endif
