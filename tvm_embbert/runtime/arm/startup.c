/* Start of a Cortex-M: vector table, coprocessors, memory, stack; then the harness. */
#include "harness_fault.h"
#include "harness_memory.h"
#include "harness_port.h"

#include <stddef.h>

#define SYSTEM_REGISTER(address) (*(volatile uint32_t *)(address))
#define SCB_CCR SYSTEM_REGISTER(0xE000ED14u)
#define SCB_SHCSR SYSTEM_REGISTER(0xE000ED24u)

#define CCR_DIV_0_TRAP (1u << 4)
#define SHCSR_ALL_FAULTS (0xFu << 16) /* MemManage, BusFault, UsageFault, SecureFault */

#define MPU_TYPE SYSTEM_REGISTER(0xE000ED90u)
#define MPU_CTRL SYSTEM_REGISTER(0xE000ED94u)
#define MPU_RNR SYSTEM_REGISTER(0xE000ED98u)
#define MPU_RBAR SYSTEM_REGISTER(0xE000ED9Cu)
#define MPU_RASR SYSTEM_REGISTER(0xE000EDA0u)

#define MPU_CTRL_WITH_DEFAULT_MAP 0x5u
#define GUARD_SIZE 0x8000u
#define GUARD_ATTRIBUTES ((14u << 1) | 1u) /* 2^(14+1) bytes, no access, enabled */

void Reset_Handler(void);

typedef union {
  uint32_t *stack;
  void (*handler)(void);
} vector;

__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    {.stack = harness_stack_end},
    {.handler = Reset_Handler},
    {.handler = harness_fault_handler}, /* NMI */
    {.handler = harness_fault_handler}, /* HardFault */
    {.handler = harness_fault_handler}, /* MemManage */
    {.handler = harness_fault_handler}, /* BusFault */
    {.handler = harness_fault_handler}, /* UsageFault */
    {.handler = harness_fault_handler}, /* SecureFault */
    {NULL},
    {NULL},
    {NULL},
    {.handler = harness_fault_handler}, /* SVCall */
    {.handler = harness_fault_handler}, /* DebugMonitor */
    {NULL},
    {.handler = harness_fault_handler}, /* PendSV */
    {.handler = harness_fault_handler}, /* SysTick */
};

/* Makes what lies below the stack fault, where the core has no stack limit register: a board may
 * well ignore accesses to addresses without memory. */
static void guard_stack(void) {
#if __ARM_ARCH < 8 && HARNESS_STACK_GUARD
  const uintptr_t base = (uintptr_t)harness_stack;
  if (MPU_TYPE == 0u || base % GUARD_SIZE != 0u || base == 0u) {
    return;
  }
  MPU_RNR = 0u;
  MPU_RBAR = base - GUARD_SIZE;
  MPU_RASR = GUARD_ATTRIBUTES;
  MPU_CTRL = MPU_CTRL_WITH_DEFAULT_MAP;
  __asm__ volatile("dsb\nisb" ::: "memory");
#endif
}

__attribute__((used)) static __attribute__((noreturn)) void start(void) {
  SCB_CCR |= CCR_DIV_0_TRAP;
  SCB_SHCSR |= SHCSR_ALL_FAULTS;
  guard_stack();
  memory_start();
  harness_main();
}

/* In assembly, as compiled code may use the coprocessors from its first instruction on. CP10 and
 * CP11 are the FPU and MVE; the register reads as zero where there are none. */
__attribute__((naked)) void Reset_Handler(void) {
  __asm__ volatile("ldr r0, =0xE000ED88\n" /* CPACR */
                   "ldr r1, [r0]\n"
                   "orr r1, r1, #0x00F00000\n"
                   "str r1, [r0]\n"
                   "dsb\n"
                   "isb\n"
#if __ARM_ARCH >= 8
                   "ldr r0, =harness_stack\n"
                   "msr msplim, r0\n"
#endif
                   "b start\n"
                   ".ltorg\n");
}
