/* The monitor: stays in flash, loads images into RAM and runs them, so that flash is not worn. */
#include "harness_link.h"
#include "harness_machine.h"
#include "harness_port.h"
#include "harness_protocol.h"

/* The compiler is told the region that images are loaded to. */
#define LOAD_END (HARNESS_LOAD_ORIGIN + (HARNESS_LOAD_LENGTH - 1u))

bool harness_begin(uint16_t type, size_t size) {
  const harness_frame frame = {HARNESS_MAGIC, HARNESS_VERSION, type, (uint32_t)size};
  return port_write(&frame, sizeof(frame));
}

bool harness_send(uint16_t type, const void *payload, size_t size) {
  return harness_begin(type, size) && port_write(payload, size);
}

static __attribute__((noreturn)) void fail(uint32_t code) {
  const harness_error error = {.code = code};
  (void)harness_send(HARNESS_ERROR, &error, sizeof(error));
  port_exit(true);
}

/* Reads where to write or run; the `size` bytes there must lie in the region. */
static uint32_t receive_address(uint32_t size) {
  harness_write write;
  (void)port_read(&write, sizeof(write));
  if (write.address < HARNESS_LOAD_ORIGIN || write.address > LOAD_END ||
      size > LOAD_END - write.address + 1u) {
    fail(HARNESS_ERROR_ADDRESS);
  }
  return write.address;
}

static void serve_write(uint32_t size) {
  const uint32_t address = receive_address(size);
  uint8_t *const memory = (uint8_t *)(uintptr_t)address;
  (void)port_read(memory, size);
  const uint32_t sum = link_checksum(memory, size);
  (void)harness_send(HARNESS_WRITE, &sum, sizeof(sum));
}

static void serve(const harness_frame *request) {
  if (request->length < sizeof(harness_write)) {
    fail(HARNESS_ERROR_FRAME);
  }
  const uint32_t rest = request->length - (uint32_t)sizeof(harness_write);
  switch (request->type) {
  case HARNESS_WRITE:
    serve_write(rest);
    break;
  case HARNESS_RUN:
    machine_run(receive_address(0u));
  default:
    fail(HARNESS_ERROR_TYPE);
  }
}

__attribute__((noreturn)) void harness_main(void) {
  (void)port_open();
  for (;;) {
    harness_frame request;
    (void)port_read(&request, sizeof(request));
    if (request.magic != HARNESS_MAGIC || request.version != HARNESS_VERSION) {
      fail(HARNESS_ERROR_FRAME);
    }
    serve(&request);
  }
}
