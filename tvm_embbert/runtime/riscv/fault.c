/* Every trap ends here: its registers go to the host, and the image exits. */
#include "harness_fault.h"
#include "harness_memory.h"
#include "harness_port.h"
#include "harness_protocol.h"
#include "harness_stack_guard.h"

/* Payload of HARNESS_FAULT; the host's side is tvm_embbert/measure/riscv_faults.py. */
typedef struct {
  uint32_t mcause, mepc, mtval;
  uint32_t in_guard; /* 1 if the address lies in the guard below the stack, else 0 */
  uint32_t x[31];    /* x1 to x31 */
} harness_fault;

/* Filled by the handler, which has no register free for a stack. */
__attribute__((used)) static harness_fault fault;

__attribute__((used)) static __attribute__((noreturn)) void report_fault(void) {
  __asm__ volatile("csrr %0, mcause" : "=r"(fault.mcause));
  __asm__ volatile("csrr %0, mepc" : "=r"(fault.mepc));
  __asm__ volatile("csrr %0, mtval" : "=r"(fault.mtval));
  fault.in_guard = (uintptr_t)harness_stack - 1u - fault.mtval < STACK_GUARD_SIZE;
  (void)harness_send(HARNESS_FAULT, &fault, sizeof(fault));
  port_exit(true);
}

/* The report has a stack of its own, as the other may be full. Offset 12: &fault.x less a word, as
 * x1 is the first. */
__attribute__((naked, aligned(4))) void harness_fault_handler(void) {
  __asm__ volatile("csrw mscratch, t0\n"
                   "la t0, fault\n"
                   ".irp n, 1,2,3,4,6,7,8,9,10,11,12,13,14,15,16,17,"
                   "18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
                   "sw x\\n, 12 + 4 * \\n(t0)\n"
                   ".endr\n"
                   "csrr t1, mscratch\n"
                   "sw t1, 12 + 4 * 5(t0)\n"
                   "la sp, harness_fault_stack_end\n"
                   "tail report_fault\n");
}
