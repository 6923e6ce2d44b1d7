"""Packets on a serial line that may lose, damage or add bytes.

The other side, and what a packet holds, is in ``runtime/include/harness_link.h``.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

VERSION = 1

MAX_DATA = 240
"""Bytes of data in a packet at the most."""

_HEADER = struct.Struct("<BBHH")
_CHECKSUM = struct.Struct("<I")
MAX_PACKET = _HEADER.size + MAX_DATA + _CHECKSUM.size
"""Bytes of a packet at the most, before it is coded."""


class PacketKind(IntEnum):
    """What a packet asks or answers."""

    HELLO = 1
    DATA = 2
    FETCH = 3
    LOST = 4


ANSWER = 128
"""What is added to the kind of an answer, to tell it from an echo of the packet itself."""


class Role(IntEnum):
    """What an image on a board is."""

    MODEL = 1
    MONITOR = 2


@dataclass(frozen=True)
class Packet:
    """A packet; ``kind`` is a :class:`PacketKind`, and in an answer :data:`ANSWER` more."""

    kind: int
    session: int
    sequence: int
    data: bytes = b""
    version: int = VERSION


@dataclass(frozen=True)
class Hello:
    """What a board says at the start of a session: its image's number, harness version and role."""

    image: int
    version: int
    role: int


_HELLO = struct.Struct("<IHH")


def unpack_hello(data: bytes) -> Hello | None:
    """Return what HELLO answered, or None if it has another size."""
    return Hello(*_HELLO.unpack(data)) if len(data) == _HELLO.size else None


def encode(packet: Packet) -> bytes:
    """Return the bytes for the line, with a zero at both ends and none between."""
    body = _HEADER.pack(packet.version, packet.kind, packet.session, packet.sequence)
    body += packet.data
    body += _CHECKSUM.pack(zlib.crc32(body))
    # No run reaches 254 bytes, as the whole packet has less: each has its length in front.
    runs = (bytes([len(run) + 1]) + run for run in body.split(b"\0"))
    return b"\0" + b"".join(runs) + b"\0"


def decode(coded: bytes) -> Packet | None:
    """Return the packet between two zeros, or None if it is damaged."""
    runs = []
    while coded:
        end = coded[0]
        if end > len(coded):
            return None
        runs.append(coded[1:end])
        coded = coded[end:]
    body = b"\0".join(runs)
    if len(body) < _HEADER.size + _CHECKSUM.size:
        return None
    covered, checksum = body[: -_CHECKSUM.size], body[-_CHECKSUM.size :]
    if _CHECKSUM.unpack(checksum)[0] != zlib.crc32(covered):
        return None
    version, kind, session, sequence = _HEADER.unpack_from(covered)
    return Packet(kind, session, sequence, covered[_HEADER.size :], version)


class Receiver:
    """Finds the packets in what comes over the line, whatever lies between them."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Take some bytes and yield the packets that they end."""
        *ended, rest = (bytes(self._rest) + data).split(b"\0")
        # Of what is too long for a packet, the beginning alone is enough to find it damaged.
        self._rest = bytearray(rest[: MAX_PACKET + 2])
        for coded in ended:
            if packet := decode(coded):
                yield packet
