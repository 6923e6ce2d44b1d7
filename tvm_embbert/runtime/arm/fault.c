/* Every fault ends here: its registers go to the host, and the image exits. */
#include "harness_fault.h"
#include "harness_port.h"
#include "harness_protocol.h"

#define SYSTEM_REGISTER(address) (*(volatile uint32_t *)(address))
#define SCB_CFSR SYSTEM_REGISTER(0xE000ED28u)
#define SCB_HFSR SYSTEM_REGISTER(0xE000ED2Cu)
#define SCB_MMFAR SYSTEM_REGISTER(0xE000ED34u)
#define SCB_BFAR SYSTEM_REGISTER(0xE000ED38u)

/* MSTKERR, STKERR and STKOF: the stack was no good, and the registers are not on it. */
#define CFSR_NOT_STACKED ((1u << 4) | (1u << 12) | (1u << 20))

/* Payload of HARNESS_FAULT; the host's side is tvm_embbert/measure/arm_faults.py. */
typedef struct {
  uint32_t exception;     /* number in IPSR: 3 HardFault to 7 SecureFault */
  uint32_t stacked_valid; /* 0 if the registers below could not be saved */
  uint32_t cfsr, hfsr, mmfar, bfar;
  uint32_t r0, r1, r2, r3, r12, lr, pc, xpsr;
} harness_fault;

/* From the stack, in the order in which the core saves them. */
static void read_saved(harness_fault *fault, const uint32_t *saved) {
  fault->stacked_valid = 1u;
  fault->r0 = saved[0];
  fault->r1 = saved[1];
  fault->r2 = saved[2];
  fault->r3 = saved[3];
  fault->r12 = saved[4];
  fault->lr = saved[5];
  fault->pc = saved[6];
  fault->xpsr = saved[7];
}

__attribute__((used)) static __attribute__((noreturn)) void report_fault(const uint32_t *saved,
                                                                         uint32_t exception) {
  harness_fault fault = {.exception = exception,
                         .cfsr = SCB_CFSR,
                         .hfsr = SCB_HFSR,
                         .mmfar = SCB_MMFAR,
                         .bfar = SCB_BFAR};
  if ((fault.cfsr & CFSR_NOT_STACKED) == 0u) {
    read_saved(&fault, saved);
  }
  (void)harness_send(HARNESS_FAULT, &fault, sizeof(fault));
  port_exit(true);
}

/* The report has a stack of its own: the other may be full, and its frames hold the registers. */
__attribute__((naked)) void harness_fault_handler(void) {
  __asm__ volatile("mov r0, sp\n"
                   "mrs r1, ipsr\n"
#if __ARM_ARCH >= 8
                   "ldr r2, =harness_fault_stack\n"
                   "msr msplim, r2\n"
#endif
                   "ldr r2, =harness_fault_stack_end\n"
                   "mov sp, r2\n"
                   "b report_fault\n"
                   ".ltorg\n");
}
