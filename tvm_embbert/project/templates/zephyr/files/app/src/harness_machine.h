/* How the validation starts again. */
#ifndef HARNESS_MACHINE_H
#define HARNESS_MACHINE_H

#include <zephyr/sys/reboot.h>

static inline __attribute__((noreturn)) void machine_restart(void) { sys_reboot(SYS_REBOOT_COLD); }

#endif
