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
#define HARNESS_VERSION 2u

/* Types of frames. INFER and PROFILE carry a harness_request and the ids; their answer is a
 * harness_result, `steps` times harness_step_ticks and `outputs` logits of int16_t. */
#define HARNESS_INFO 1u /* answer: harness_info */
#define HARNESS_INFER 2u
#define HARNESS_PROFILE 3u /* in a profiling image only */
#define HARNESS_STACK 4u   /* answer: uint32_t, the most bytes of stack in use so far */
#define HARNESS_QUIT 5u    /* answer: empty; the image exits */
#define HARNESS_FAULT 6u   /* answer only: harness_fault of fault.c; the image exits */
#define HARNESS_ERROR 7u   /* answer only: harness_error; the image exits */

/* Of the monitor alone, which loads an image into RAM. WRITE carries a harness_write and its bytes,
 * CHECK a harness_write alone; their answer is a uint32_t, the CRC-32 of what then stands there.
 * RUN carries a harness_write, whose address is that of the image's vectors, and has no answer. */
#define HARNESS_WRITE 8u
#define HARNESS_CHECK 9u
#define HARNESS_RUN 10u

/* In an image of several candidates only: a uint32_t, the one that runs from now on, at first 0;
 * answer: empty. */
#define HARNESS_SELECT 11u

#define HARNESS_ERROR_FRAME 1u     /* bad magic, version or length of a request */
#define HARNESS_ERROR_TYPE 2u      /* unknown type, or PROFILE in an image without it */
#define HARNESS_ERROR_COUNTER 3u   /* the counter ran over during an inference */
#define HARNESS_ERROR_STEPS 4u     /* too many steps, or the last mark is not the greatest */
#define HARNESS_ERROR_GUARD 5u     /* an inference wrote beside its memory; debug images only */
#define HARNESS_ERROR_ADDRESS 6u   /* WRITE, CHECK or RUN beyond the region for images */
#define HARNESS_ERROR_CANDIDATE 7u /* SELECT of one that the image does not have */

/* Marks that are timed to learn what one of them takes. */
#define HARNESS_MARK_SAMPLES 256u

/* Bytes of a name, with at least one zero at its end. */
#define HARNESS_NAME_SIZE 32u

typedef struct {
  uint32_t magic;
  uint16_t version;
  uint16_t type;
  uint32_t length; /* bytes of payload */
} harness_frame;

typedef struct {
  uint32_t max_length; /* tokens */
  uint32_t num_outputs;
  uint32_t arena_size; /* bytes of all pools */
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
  uint64_t ticks;      /* of the counter, for the whole call */
  uint32_t steps;      /* of the model, whose ticks follow */
  uint32_t mark_ticks; /* that HARNESS_MARK_SAMPLES marks themselves take */
} harness_result;

typedef struct {
  uint64_t ticks; /* of the counter, from the marks of this step to the marks that followed */
  uint32_t marks; /* how often the step was run */
  uint32_t reserved;
} harness_step_ticks;

typedef struct {
  uint32_t address;
  uint32_t size; /* bytes */
} harness_write;

typedef struct {
  uint32_t code;   /* one of HARNESS_ERROR_... */
  uint32_t behind; /* of HARNESS_ERROR_GUARD: 1 behind the memory's end, 0 before its start */
  char name[HARNESS_NAME_SIZE]; /* of HARNESS_ERROR_GUARD: the pool's, or "stack" */
} harness_error;

#endif
