/* Start of a RISC-V core in machine mode: traps, vector unit, memory, stack; then the harness. */
#include "harness_fault.h"
#include "harness_memory.h"
#include "harness_port.h"
#include "harness_stack_guard.h"

#define PMP_LOCKED_NO_ACCESS_NAPOT 0x98u /* locked, so that it binds machine mode, too */
#define MSTATUS_VS_INITIAL (1u << 9)

void Reset_Handler(void);
void harness_entry(void);

/* The board runs what lies at the start of its memory, wherever the image says that it begins. */
__attribute__((naked, used, section(".vectors"))) void harness_entry(void) {
  __asm__ volatile("tail Reset_Handler");
}

/* Makes what lies below the stack fault: a naturally aligned power of two, as PMP describes it. */
static void guard_stack(void) {
#if HARNESS_STACK_GUARD
  const uintptr_t base = (uintptr_t)harness_stack;
  if (base % STACK_GUARD_SIZE != 0u || base == 0u) {
    return;
  }
  const uint32_t address = (uint32_t)(base - STACK_GUARD_SIZE + (STACK_GUARD_SIZE / 2u - 1u)) >> 2;
  __asm__ volatile("csrw pmpaddr0, %0\n"
                   "csrs pmpcfg0, %1" ::"r"(address),
                   "r"(PMP_LOCKED_NO_ACCESS_NAPOT)
                   : "memory");
#endif
}

__attribute__((used)) static __attribute__((noreturn)) void start(void) {
  guard_stack();
  memory_start();
  harness_main();
}

/* In assembly, as compiled code needs the stack. The vector unit is off after a reset. */
__attribute__((naked)) void Reset_Handler(void) {
  __asm__ volatile("la t0, harness_fault_handler\n"
                   "csrw mtvec, t0\n"
#if defined(__riscv_zve32x)
                   "li t0, %0\n"
                   "csrs mstatus, t0\n"
#endif
                   "la t0, harness_stack_end\n"
                   "mv sp, t0\n"
                   "tail start\n" ::"i"(MSTATUS_VS_INITIAL));
}
