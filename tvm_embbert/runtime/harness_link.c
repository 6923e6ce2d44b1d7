/* Packets on a serial line: checksum and coding, see harness_link.h. */
#include "harness_link.h"
#include "harness_uart.h"

/* Four bits at a time: a table of 256 entries would take more flash than it is worth. */
static const uint32_t checksum_table[16] = {
    0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u,
    0x4DB26158u, 0x5005713Cu, 0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu,
    0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu,
};

uint32_t link_checksum(const uint8_t *bytes, size_t size) {
  uint32_t sum = UINT32_MAX;
  for (size_t i = 0u; i < size; ++i) {
    sum ^= bytes[i];
    sum = (sum >> 4) ^ checksum_table[sum & 0xFu];
    sum = (sum >> 4) ^ checksum_table[sum & 0xFu];
  }
  return ~sum;
}

static void put(uint8_t *bytes, uint32_t value, size_t size) {
  for (size_t i = 0u; i < size; ++i) {
    bytes[i] = (uint8_t)(value >> (8u * i));
  }
}

static uint32_t get(const uint8_t *bytes, size_t size) {
  uint32_t value = 0u;
  for (size_t i = 0u; i < size; ++i) {
    value |= (uint32_t)bytes[i] << (8u * i);
  }
  return value;
}

/* Decodes in place; returns the size, or 0 if the bytes are no whole packet. */
static size_t decode(uint8_t *bytes, size_t size) {
  size_t from = 0u;
  size_t to = 0u;
  while (from < size) {
    const size_t end = from + bytes[from];
    if (end > size) {
      return 0u;
    }
    for (++from; from < end; ++from) {
      bytes[to++] = bytes[from];
    }
    if (from < size) {
      bytes[to++] = 0u;
    }
  }
  return to;
}

static bool whole(const uint8_t *bytes, size_t size) {
  if (size < LINK_HEADER_SIZE + LINK_CHECKSUM_SIZE) {
    return false;
  }
  const size_t covered = size - LINK_CHECKSUM_SIZE;
  return get(bytes + covered, LINK_CHECKSUM_SIZE) == link_checksum(bytes, covered);
}

/* Ends the packet, and makes room for the next one. */
static size_t finish(link_receiver *receiver) {
  const size_t size = receiver->overlong ? 0u : decode(receiver->bytes, receiver->size);
  receiver->size = 0u;
  receiver->overlong = false;
  return size;
}

bool link_receive(link_receiver *receiver, uint8_t byte, link_header *header, size_t *data_size) {
  uint8_t *const bytes = receiver->bytes;
  if (byte != 0u) {
    if (receiver->size < sizeof(receiver->bytes)) {
      bytes[receiver->size++] = byte;
    } else {
      receiver->overlong = true;
    }
    return false;
  }
  const size_t size = finish(receiver);
  if (!whole(bytes, size)) {
    return false;
  }
  header->version = bytes[0];
  header->kind = bytes[1];
  header->session = (uint16_t)get(bytes + 2, 2u);
  header->sequence = (uint16_t)get(bytes + 4, 2u);
  *data_size = size - LINK_HEADER_SIZE - LINK_CHECKSUM_SIZE;
  return true;
}

/* Each run of bytes that are not zero goes with its length in front, in the place of a zero. */
static void send_coded(const uint8_t *bytes, size_t size) {
  for (size_t start = 0u; start <= size;) {
    size_t end = start;
    while (end < size && bytes[end] != 0u) {
      ++end;
    }
    harness_uart_write((uint8_t)(end - start + 1u));
    for (; start < end; ++start) {
      harness_uart_write(bytes[start]);
    }
    ++start;
  }
}

void link_send(uint8_t *packet, const link_header *header, size_t data_size) {
  const size_t covered = LINK_HEADER_SIZE + data_size;
  packet[0] = header->version;
  packet[1] = header->kind;
  put(packet + 2, header->session, 2u);
  put(packet + 4, header->sequence, 2u);
  put(packet + covered, link_checksum(packet, covered), LINK_CHECKSUM_SIZE);
  harness_uart_write(0u);
  send_coded(packet, covered + LINK_CHECKSUM_SIZE);
  harness_uart_write(0u);
}
