/* The stream to the host over semihosting, Arm's or RISC-V's: two files in the emulator's working
 * folder. */
#include "harness_machine.h"
#include "harness_port.h"

#define SYS_OPEN 0x01u
#define SYS_WRITE 0x05u
#define SYS_READ 0x06u
#define SYS_EXIT 0x18u

#define MODE_READ_BINARY 1u
#define MODE_WRITE_BINARY 5u

#define EXIT_SUCCESS_REASON 0x20026u /* ADP_Stopped_ApplicationExit */
#define EXIT_FAILURE_REASON 0x20023u /* ADP_Stopped_RunTimeErrorUnknown */

static uint32_t request_file;
static uint32_t response_file;

static bool open_file(const char *name, uint32_t name_length, uint32_t mode, uint32_t *file) {
  const uintptr_t block[3] = {(uintptr_t)name, mode, name_length};
  *file = machine_semihost(SYS_OPEN, (uintptr_t)block);
  return *file != UINT32_MAX;
}

bool port_open(void) {
  return open_file("request", sizeof("request") - 1u, MODE_READ_BINARY, &request_file) &&
         open_file("response", sizeof("response") - 1u, MODE_WRITE_BINARY, &response_file);
}

/* Reads and writes return how many bytes are left to do; a FIFO may take several turns. */
static bool transfer(uint32_t operation, uint32_t file, uintptr_t data, size_t size) {
  while (size > 0u) {
    const uintptr_t block[3] = {file, data, size};
    const uint32_t left = machine_semihost(operation, (uintptr_t)block);
    if (left >= size) {
      return false;
    }
    data += size - left;
    size = left;
  }
  return true;
}

bool port_read(void *data, size_t size) {
  return transfer(SYS_READ, request_file, (uintptr_t)data, size);
}

bool port_write(const void *data, size_t size) {
  return transfer(SYS_WRITE, response_file, (uintptr_t)data, size);
}

__attribute__((noreturn)) void port_exit(bool failed) {
  for (;;) {
    (void)machine_semihost(SYS_EXIT, failed ? EXIT_FAILURE_REASON : EXIT_SUCCESS_REASON);
  }
}
