/* The console of a debugger or an emulator, by Arm semihosting. */
#include "app_port.h"
#include "board.h"

#define SYS_WRITEC 0x03u
#define SYS_READC 0x07u

static uint32_t semihost(uint32_t operation, const void *argument) {
  register uint32_t r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory", "cc");
  return r0;
}

void board_open(void) {}

/* Waits for a byte. */
int app_port_read(void) { return (int)(uint8_t)semihost(SYS_READC, NULL); }

void app_port_write(const char *text, size_t size) {
  for (size_t i = 0u; i < size; ++i) {
    (void)semihost(SYS_WRITEC, &text[i]);
  }
}
