/* Serves a compiled model to the host: reads requests, runs the model, sends the answers. */
#include "harness_arena.h"
#include "harness_counter.h"
#include "harness_memory.h"
#include "harness_model.h"
#include "harness_port.h"
#include "harness_protocol.h"
#if HARNESS_PROFILING
#include "harness_profile.h"
#endif

static int32_t ids[MODEL_MAX_LENGTH];
static int16_t logits[MODEL_NUM_OUTPUTS];

bool harness_begin(uint16_t type, size_t size) {
  const harness_frame frame = {HARNESS_MAGIC, HARNESS_VERSION, type, (uint32_t)size};
  return port_write(&frame, sizeof(frame));
}

bool harness_send(uint16_t type, const void *payload, size_t size) {
  return harness_begin(type, size) && port_write(payload, size);
}

static __attribute__((noreturn)) void fail_with(const harness_error *error) {
  (void)harness_send(HARNESS_ERROR, error, sizeof(*error));
  port_exit(true);
}

static __attribute__((noreturn)) void fail(uint32_t code) {
  const harness_error error = {.code = code};
  fail_with(&error);
}

static void check_guards(void) {
#if HARNESS_CANARIES
  harness_error error = {0};
  if (!guards_intact(&error)) {
    fail_with(&error);
  }
#endif
}

static void read_or_exit(void *data, size_t size) {
  if (!port_read(data, size)) {
    port_exit(true);
  }
}

static void drop_ids(uint32_t count) {
  for (; count > 0u; --count) {
    int32_t dropped;
    read_or_exit(&dropped, sizeof(dropped));
  }
}

/* Keeps as many ids as the buffer holds and drops the rest, so that a sentence of any length can
 * be asked for. */
static int32_t receive_ids(uint32_t payload) {
  harness_request request;
  if (payload < sizeof(request)) {
    fail(HARNESS_ERROR_FRAME);
  }
  read_or_exit(&request, sizeof(request));
  const uint32_t bytes = payload - (uint32_t)sizeof(request);
  if (bytes % sizeof(int32_t) != 0u || request.count != bytes / sizeof(int32_t)) {
    fail(HARNESS_ERROR_FRAME);
  }
  const uint32_t kept = request.count < MODEL_MAX_LENGTH ? request.count : MODEL_MAX_LENGTH;
  read_or_exit(ids, kept * sizeof(int32_t));
  drop_ids(request.count - kept);
  return request.length;
}

static harness_result run_model(int32_t length) {
  harness_result result = {0, MODEL_NUM_OUTPUTS, 0u, 0u, 0u};
  for (uint32_t i = 0u; i < MODEL_NUM_OUTPUTS; ++i) {
    logits[i] = 0;
  }
  counter_start();
  const uint64_t start = counter_ticks();
  result.code = MODEL_INFER(ids, length, logits MODEL_POOLS(ARENA_ARGUMENTS));
  result.ticks = counter_ticks() - start;
  if (counter_overflowed()) {
    fail(HARNESS_ERROR_COUNTER);
  }
  check_guards();
  return result;
}

static void send_result(uint16_t type, const harness_result *result, const void *step_ticks) {
  const size_t step_bytes = result->steps * sizeof(harness_step_ticks);
  if (!harness_begin(type, sizeof(*result) + step_bytes + sizeof(logits)) ||
      !port_write(result, sizeof(*result)) || !port_write(step_ticks, step_bytes) ||
      !port_write(logits, sizeof(logits))) {
    port_exit(true);
  }
}

static void serve_infer(uint32_t payload) {
  const int32_t length = receive_ids(payload);
  const harness_result result = run_model(length);
  send_result(HARNESS_INFER, &result, NULL);
}

#if HARNESS_PROFILING
static void serve_profile(uint32_t payload) {
  const int32_t length = receive_ids(payload);
  const uint32_t mark_ticks = profile_mark_ticks();
  profile_start();
  harness_result result = run_model(length);
  if (result.code == 0 && !profile_complete()) {
    fail(HARNESS_ERROR_STEPS);
  }
  result.steps = result.code == 0 ? profile_steps() : 0u;
  result.mark_ticks = mark_ticks;
  send_result(HARNESS_PROFILE, &result, profile_ticks());
}
#endif

static void serve_info(void) {
  const harness_info info = {MODEL_MAX_LENGTH, MODEL_NUM_OUTPUTS, MODEL_ARENA_SIZE,
                             harness_stack_size(), HARNESS_PROFILING};
  (void)harness_send(HARNESS_INFO, &info, sizeof(info));
}

#ifdef MODEL_CANDIDATES
static void serve_select(uint32_t payload) {
  uint32_t candidate;
  if (payload != sizeof(candidate)) {
    fail(HARNESS_ERROR_FRAME);
  }
  read_or_exit(&candidate, sizeof(candidate));
  if (candidate >= MODEL_CANDIDATES) {
    fail(HARNESS_ERROR_CANDIDATE);
  }
  harness_candidate = candidate;
  (void)harness_send(HARNESS_SELECT, NULL, 0u);
}
#endif

static void serve_stack(void) {
  const uint32_t used = harness_stack_used();
  (void)harness_send(HARNESS_STACK, &used, sizeof(used));
}

static void serve(const harness_frame *request) {
  switch (request->type) {
  case HARNESS_INFO:
    serve_info();
    break;
  case HARNESS_INFER:
    serve_infer(request->length);
    break;
#if HARNESS_PROFILING
  case HARNESS_PROFILE:
    serve_profile(request->length);
    break;
#endif
  case HARNESS_STACK:
    serve_stack();
    break;
#ifdef MODEL_CANDIDATES
  case HARNESS_SELECT:
    serve_select(request->length);
    break;
#endif
  case HARNESS_QUIT:
    (void)harness_send(HARNESS_QUIT, NULL, 0u);
    port_exit(false);
  default:
    fail(HARNESS_ERROR_TYPE);
  }
}

__attribute__((noreturn)) void harness_main(void) {
  if (!port_open()) {
    port_exit(true);
  }
#if HARNESS_CANARIES
  guards_write();
#endif
  for (;;) {
    harness_frame request;
    read_or_exit(&request, sizeof(request));
    if (request.magic != HARNESS_MAGIC || request.version != HARNESS_VERSION) {
      fail(HARNESS_ERROR_FRAME);
    }
    serve(&request);
  }
}
