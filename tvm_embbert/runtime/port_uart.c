/* The stream to the host over a UART, in packets: the board's side of harness_link.h. */
#include "harness_link.h"
#include "harness_machine.h"
#include "harness_port.h"
#include "harness_protocol.h"
#include "harness_uart.h"

#include <string.h>

/* A number of the image: by the compiler, or by the linker, as the address of nothing. */
#ifdef HARNESS_IMAGE_NUMBER
#define IMAGE_NUMBER HARNESS_IMAGE_NUMBER
#else
extern const uint8_t harness_image_number[];
#define IMAGE_NUMBER ((uint32_t)(uintptr_t)harness_image_number)
#endif

#ifndef HARNESS_ROLE
#define HARNESS_ROLE LINK_ROLE_MODEL
#endif

/* What came last of the host's bytes, and how many of them are still to be read. */
static link_receiver received;
static size_t read_from, read_left;

/* The last packet that was taken; no session is 0. */
static link_header last;

/* The answer to the last FETCH, or what will be when it is owed. */
static uint8_t answer[LINK_MAX_PACKET];
static size_t answer_size;
static bool answer_owed;

/* Sends the `size` bytes of data that stand in the packet as an answer of a kind. */
static void send_answer(const link_header *request, uint8_t kind, uint8_t *packet, size_t size) {
  const link_header header = {LINK_VERSION, (uint8_t)(kind | LINK_ANSWER), request->session,
                              request->sequence};
  link_send(packet, &header, size);
}

static void send_empty(const link_header *request, uint8_t kind) {
  uint8_t packet[LINK_HEADER_SIZE + LINK_CHECKSUM_SIZE];
  send_answer(request, kind, packet, 0u);
}

/* A session begins; one that had another starts from nothing, and answers when asked again. */
static void greet(const link_header *request) {
  if (last.session != 0u && last.session != request->session) {
    machine_restart();
  }
  if (last.session == 0u) {
    last = *request;
  }
  const link_hello hello = {IMAGE_NUMBER, HARNESS_VERSION, HARNESS_ROLE};
  uint8_t packet[LINK_HEADER_SIZE + sizeof(hello) + LINK_CHECKSUM_SIZE];
  memcpy(packet + LINK_HEADER_SIZE, &hello, sizeof(hello));
  send_answer(request, LINK_HELLO, packet, sizeof(hello));
}

/* Answers the last packet, perhaps once more. */
static void answer_last(void) {
  if (last.kind == LINK_FETCH) {
    send_answer(&last, LINK_FETCH, answer, answer_size);
  } else {
    send_empty(&last, last.kind);
  }
}

/* True if the packet is the next one, of this kind; all others are answered here, or dropped. */
static bool take(const link_header *header, uint8_t kind) {
  if ((header->kind & LINK_ANSWER) != 0u) {
    return false; /* an echo of what was sent from here */
  }
  if (header->version != LINK_VERSION) {
    send_empty(header, LINK_LOST);
  } else if (header->kind == LINK_HELLO) {
    greet(header);
  } else if (header->session != last.session || last.session == 0u) {
    send_empty(header, LINK_LOST);
  } else if (header->sequence == last.sequence && header->kind == last.kind) {
    answer_last();
  } else if (header->sequence == (uint16_t)(last.sequence + 1u) && header->kind == kind) {
    last = *header;
    return true;
  }
  return false;
}

/* Waits for the next packet of a kind; returns the bytes of its data. */
static size_t wait_for(uint8_t kind) {
  for (;;) {
    link_header header;
    size_t size;
    const int32_t byte = harness_uart_read();
    if (byte >= 0 && link_receive(&received, (uint8_t)byte, &header, &size) &&
        take(&header, kind)) {
      return size;
    }
  }
}

static void send_owed(void) {
  if (answer_owed && answer_size > 0u) {
    answer_owed = false;
    answer_last();
  }
}

bool port_open(void) {
  harness_uart_init();
  return true;
}

static size_t least(size_t one, size_t other) { return one < other ? one : other; }

bool port_read(void *data, size_t size) {
  uint8_t *to = data;
  send_owed();
  while (size > 0u) {
    if (read_left == 0u) {
      read_left = wait_for(LINK_DATA);
      read_from = LINK_HEADER_SIZE;
      answer_last();
    }
    const size_t part = least(size, read_left);
    memcpy(to, received.bytes + read_from, part);
    to += part;
    size -= part;
    read_from += part;
    read_left -= part;
  }
  return true;
}

bool port_write(const void *data, size_t size) {
  const uint8_t *from = data;
  while (size > 0u) {
    if (!answer_owed) {
      read_left = 0u; /* the packets that now come take its place */
      (void)wait_for(LINK_FETCH);
      answer_owed = true;
      answer_size = 0u;
    }
    const size_t part = least(size, LINK_MAX_DATA - answer_size);
    memcpy(answer + LINK_HEADER_SIZE + answer_size, from, part);
    answer_size += part;
    from += part;
    size -= part;
    if (answer_size == LINK_MAX_DATA) {
      send_owed();
    }
  }
  return true;
}

/* Repeats the last answers until another session begins. */
__attribute__((noreturn)) void port_exit(bool failed) {
  (void)failed;
  send_owed();
  for (;;) {
    (void)wait_for(LINK_HELLO);
  }
}
