/* Packets between the host and a board on a serial line, which may lose, damage or add bytes.
 *
 * On the line a packet is a zero byte, its bytes in COBS (so that none of them is zero) and a zero
 * byte; whoever lost the thread finds it again at the next zero. Its bytes, numbers little-endian:
 *
 *   version   1 byte   LINK_VERSION
 *   kind      1 byte   one of LINK_HELLO ..., in an answer with LINK_ANSWER
 *   session   2 bytes  chosen by the host, not 0
 *   sequence  2 bytes  0 for HELLO, then 1, 2, ... and after 65535 again 0
 *   data      0 to LINK_MAX_DATA bytes
 *   checksum  4 bytes  CRC-32 of all that stands before it, as in zlib
 *
 * The version's place, the checksum and the coding are the same in all versions.
 *
 * The host sends, and repeats what is not answered in time; the board answers each packet that it
 * takes with one of the same kind, session and sequence, and sends nothing by itself. LINK_ANSWER
 * tells the answer from the packet itself, which some lines send back as an echo. It takes the
 * packet that follows the last one it took, and repeats its answer where that one comes again:
 * nothing is done twice. All others are dropped.
 *
 *   HELLO  begins a session; answer: link_hello. A board in another session starts again from its
 *          reset, and answers when the host repeats it.
 *   DATA   the next bytes of a request, a frame of harness_protocol.h; answer: empty, before the
 *          request is served.
 *   FETCH  asks for the next bytes of the answer, also a frame of harness_protocol.h.
 *   LOST   answer only: the board is not in that session, for it was reset meanwhile.
 *
 * A packet of another version is answered by LOST, from which the host learns the board's version.
 * The host's side of this file is tvm_embbert/measure/packet.py.
 */
#ifndef HARNESS_LINK_H
#define HARNESS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_VERSION 1u

#define LINK_HELLO 1u
#define LINK_DATA 2u
#define LINK_FETCH 3u
#define LINK_LOST 4u
#define LINK_ANSWER 128u /* added to the kind */

/* With these the whole packet has less than 254 bytes, and COBS adds one byte to it. */
#define LINK_MAX_DATA 240u
#define LINK_HEADER_SIZE 6u
#define LINK_CHECKSUM_SIZE 4u
#define LINK_MAX_PACKET (LINK_HEADER_SIZE + LINK_MAX_DATA + LINK_CHECKSUM_SIZE)

#define LINK_ROLE_MODEL 1u
#define LINK_ROLE_MONITOR 2u

/* The answer to HELLO. */
typedef struct {
  uint32_t image;   /* number of the image: two that differ have different ones */
  uint16_t version; /* HARNESS_VERSION */
  uint16_t role;    /* LINK_ROLE_MODEL or LINK_ROLE_MONITOR */
} link_hello;

typedef struct {
  uint8_t version;
  uint8_t kind;
  uint16_t session;
  uint16_t sequence;
} link_header;

/* A packet that is being received, and then its bytes. */
typedef struct {
  uint8_t bytes[LINK_MAX_PACKET + 1u];
  size_t size;
  bool overlong;
} link_receiver;

/* CRC-32 of some bytes. */
uint32_t link_checksum(const uint8_t *bytes, size_t size);

/* Takes a byte from the line; true if it ended a packet that is whole, whose header it tells. The
 * data then stand at bytes + LINK_HEADER_SIZE, `data_size` of them, until the next call. */
bool link_receive(link_receiver *receiver, uint8_t byte, link_header *header, size_t *data_size);

/* Writes header and checksum around `data_size` bytes that stand at packet + LINK_HEADER_SIZE, and
 * sends the packet through harness_uart_write. */
void link_send(uint8_t *packet, const link_header *header, size_t data_size);

#endif
