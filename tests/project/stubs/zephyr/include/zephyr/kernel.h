/* The kernel: one thread, and clocks. */
#ifndef STUB_KERNEL_H
#define STUB_KERNEL_H

#include <stddef.h>
#include <stdint.h>
#include <zephyr/toolchain.h>

typedef void (*k_thread_entry_t)(void *p1, void *p2, void *p3);

struct k_thread {
  k_thread_entry_t entry;
  struct {
    uintptr_t start;
    size_t size;
  } stack_info;
};

typedef struct k_thread *k_tid_t;

extern struct k_thread stub_thread;

#define K_LOWEST_APPLICATION_THREAD_PRIO 14
#define K_THREAD_DEFINE(name, stack_size, entry, p1, p2, p3, prio, options, delay)                 \
  struct k_thread stub_thread = {entry, {0, stack_size}};                                          \
  const k_tid_t name = &stub_thread

k_tid_t k_current_get(void);
int k_thread_stack_space_get(const struct k_thread *thread, size_t *unused_ptr);
int64_t k_uptime_get(void);
uint32_t k_cycle_get_32(void);
uint64_t k_cycle_get_64(void);
int sys_clock_hw_cycles_per_sec(void);

#endif
