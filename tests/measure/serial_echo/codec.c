/* The codec of harness_link.c for ctypes: what it sends is collected. */
#include "harness_link.h"
#include "harness_uart.h"

#include <string.h>

static uint8_t *sent;
static size_t sent_size;

void harness_uart_write(uint8_t byte) { sent[sent_size++] = byte; }

size_t codec_send(uint8_t *wire, const uint32_t *fields, const uint8_t *data, size_t size);
size_t codec_receive(const uint8_t *wire, size_t size, uint32_t *fields, uint8_t *data,
                     size_t *data_sizes);

size_t codec_send(uint8_t *wire, const uint32_t *fields, const uint8_t *data, size_t size) {
  uint8_t packet[LINK_MAX_PACKET];
  const link_header header = {(uint8_t)fields[0], (uint8_t)fields[1], (uint16_t)fields[2],
                              (uint16_t)fields[3]};
  sent = wire;
  sent_size = 0u;
  memcpy(packet + LINK_HEADER_SIZE, data, size);
  link_send(packet, &header, size);
  return sent_size;
}

/* Returns how many packets the bytes hold; four fields, a size and the data of each. */
size_t codec_receive(const uint8_t *wire, size_t size, uint32_t *fields, uint8_t *data,
                     size_t *data_sizes) {
  static link_receiver receiver;
  size_t found = 0u;
  memset(&receiver, 0, sizeof(receiver));
  for (size_t i = 0u; i < size; ++i) {
    link_header header;
    if (link_receive(&receiver, wire[i], &header, data_sizes + found)) {
      const uint32_t values[4] = {header.version, header.kind, header.session, header.sequence};
      memcpy(fields + 4u * found, values, sizeof(values));
      memcpy(data, receiver.bytes + LINK_HEADER_SIZE, data_sizes[found]);
      data += data_sizes[found++];
    }
  }
  return found;
}
