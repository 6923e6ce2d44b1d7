/* Frames between the host and the harness; all numbers are little-endian.
 *
 * A frame is a harness_frame header and `length` bytes of payload. The host sends one request and
 * waits for its answer, which has the request's type, or is HARNESS_FAULT or HARNESS_ERROR.
 * The host's side of this file is tvm_embbert/measure/protocol.py.
 */
#ifndef HARNESS_PROTOCOL_H
#define HARNESS_PROTOCOL_H

#include <stdint.h>

#define HARNESS_MAGIC 0x51424D45u /* "EMBQ" */
#define HARNESS_VERSION 1u

/* Types of frames. INFER and PROFILE carry a harness_request and the ids; their answer is a
 * harness_result, `steps` marks of uint32_t and `outputs` logits of int16_t. */
#define HARNESS_INFO 1u /* answer: harness_info */
#define HARNESS_INFER 2u
#define HARNESS_PROFILE 3u /* in a profiling image only */
#define HARNESS_STACK 4u   /* answer: uint32_t, the most bytes of stack in use so far */
#define HARNESS_QUIT 5u    /* answer: empty; the image exits */
#define HARNESS_FAULT 6u   /* answer only: harness_fault; the image exits */
#define HARNESS_ERROR 7u   /* answer only: uint32_t, one of the codes below; the image exits */

#define HARNESS_ERROR_FRAME 1u   /* bad magic, version or length of a request */
#define HARNESS_ERROR_TYPE 2u    /* unknown type, or PROFILE in an image without it */
#define HARNESS_ERROR_COUNTER 3u /* the counter ran over during an inference */
#define HARNESS_ERROR_STEPS 4u   /* more steps than HARNESS_MAX_STEPS */

typedef struct {
  uint32_t magic;
  uint16_t version;
  uint16_t type;
  uint32_t length; /* bytes of payload */
} harness_frame;

typedef struct {
  uint32_t max_length; /* tokens */
  uint32_t num_outputs;
  uint32_t arena_size; /* bytes */
  uint32_t stack_size; /* bytes */
  uint32_t profile;    /* 1 in a profiling image, else 0 */
} harness_info;

typedef struct {
  int32_t length; /* passed to the model as it is, right or wrong */
  uint32_t count; /* ids that follow */
} harness_request;

typedef struct {
  int32_t code; /* of the model: 0, or negative for an error */
  uint32_t outputs;
  uint64_t ticks;         /* of the counter, for the whole call */
  uint32_t steps;         /* marks that follow; mark i is the tick count at the start of step i */
  uint32_t mark_overhead; /* ticks that one mark itself takes */
} harness_result;

typedef struct {
  uint32_t exception;     /* number in IPSR: 3 HardFault to 7 SecureFault */
  uint32_t stacked_valid; /* 0 if the registers below could not be saved */
  uint32_t cfsr, hfsr, mmfar, bfar;
  uint32_t r0, r1, r2, r3, r12, lr, pc, xpsr;
} harness_fault;

#endif
