/* Starting again. */
#ifndef STUB_REBOOT_H
#define STUB_REBOOT_H

#include <zephyr/toolchain.h>

#define SYS_REBOOT_WARM 0
#define SYS_REBOOT_COLD 1

extern FUNC_NORETURN void sys_reboot(int type);

#endif
