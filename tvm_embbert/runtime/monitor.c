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

/* The bytes must lie in the region that images are loaded to. */
static uint8_t *memory_of(const harness_write *range) {
  if (range->address < HARNESS_LOAD_ORIGIN || range->address > LOAD_END ||
      range->size > LOAD_END - range->address + 1u) {
    fail(HARNESS_ERROR_ADDRESS);
  }
  return (uint8_t *)(uintptr_t)range->address;
}

static void answer_sum(uint16_t type, const harness_write *range) {
  const uint32_t sum = link_checksum(memory_of(range), range->size);
  (void)harness_send(type, &sum, sizeof(sum));
}

static void serve(const harness_frame *request) {
  harness_write range;
  const bool writes = request->type == HARNESS_WRITE;
  if (request->length < sizeof(range)) {
    fail(HARNESS_ERROR_FRAME);
  }
  (void)port_read(&range, sizeof(range));
  if (request->length - sizeof(range) != (writes ? range.size : 0u)) {
    fail(HARNESS_ERROR_FRAME);
  }
  switch (request->type) {
  case HARNESS_WRITE:
    (void)port_read(memory_of(&range), range.size);
    answer_sum(HARNESS_WRITE, &range);
    break;
  case HARNESS_CHECK:
    answer_sum(HARNESS_CHECK, &range);
    break;
  case HARNESS_RUN:
    machine_run((uint32_t)(uintptr_t)memory_of(&range));
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
