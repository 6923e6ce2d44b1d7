/* Start of an MPS2 board in QEMU, in the place of the device's pack: vectors, memory, main, an end.
 */
#include "device.h"

#define SYS_EXIT_EXTENDED 0x20u
#define STOPPED_APPLICATION_EXIT 0x20026u

extern uint32_t stack_end[], data_load[], data_start[], data_end[], bss_start[], bss_end[];

int main(void);

static __attribute__((noreturn)) void end(uint32_t code) {
  const uint32_t block[2] = {STOPPED_APPLICATION_EXIT, code};
  register uint32_t r0 __asm__("r0") = SYS_EXIT_EXTENDED;
  register const uint32_t *r1 __asm__("r1") = block;
  __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
  for (;;) {
  }
}

static __attribute__((noreturn)) void fault(void) { end(70u); }

static __attribute__((noreturn)) void reset(void) {
  uint32_t *from = data_load;
  for (uint32_t *to = data_start; to < data_end;) {
    *to++ = *from++;
  }
  for (uint32_t *to = bss_start; to < bss_end;) {
    *to++ = 0u;
  }
  end((uint32_t)main());
}

/* A core's first words; no interrupt is on. */
__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    stack_end, reset, fault, fault, fault, fault, fault};

void NVIC_SystemReset(void) { fault(); }
