/* What every Cortex-M with the main extension has: a counter of cycles, and a reset. */
#include "app_port.h"
#include "board.h"

#include "RTE_Components.h"
#include CMSIS_device_header

/* By address: the names of these registers differ between versions of CMSIS-Core. */
#define BOARD_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define BOARD_DEMCR BOARD_REGISTER(0xE000EDFCu)
#define BOARD_DEMCR_TRCENA (1u << 24)
#define BOARD_DWT_CTRL BOARD_REGISTER(0xE0001000u)
#define BOARD_DWT_CTRL_CYCCNTENA 1u
#define BOARD_DWT_CYCCNT BOARD_REGISTER(0xE0001004u)
#define BOARD_DWT_LAR BOARD_REGISTER(0xE0001FB0u)

/* Emulators do not count: there it stands still. */
void app_port_count(void) {
  BOARD_DEMCR |= BOARD_DEMCR_TRCENA;
  BOARD_DWT_LAR = 0xC5ACCE55u; /* a Cortex-M7 locks it */
  BOARD_DWT_CYCCNT = 0u;
  BOARD_DWT_CTRL |= BOARD_DWT_CTRL_CYCCNTENA;
}

/* Of 32 bits: right for 43 seconds at 100 MHz. */
uint64_t app_port_counted(void) { return BOARD_DWT_CYCCNT; }

const char *app_port_unit(void) { return "cycles"; }

__attribute__((noreturn)) void board_restart(void) {
  NVIC_SystemReset();
  for (;;) {
  }
}
