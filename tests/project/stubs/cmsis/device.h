/* As much of CMSIS-Core as the port uses. */
#ifndef DEVICE_H
#define DEVICE_H

#include <stdint.h>

__attribute__((noreturn)) void NVIC_SystemReset(void);

#endif
