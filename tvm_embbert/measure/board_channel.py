"""Requests to a board over a serial line: sent again until they are answered, served once."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

from tvm_embbert.errors import DeviceError
from tvm_embbert.measure import packet as packets
from tvm_embbert.measure.packet import Hello, Packet, PacketKind, Receiver, encode, unpack_hello
from tvm_embbert.measure.protocol import HEADER, FrameType, unpack_header
from tvm_embbert.measure.protocol import VERSION as HARNESS_VERSION
from tvm_embbert.measure.serial_line import Line

_REPEAT_S = 0.05
_LONGEST_REPEAT_S = 0.5
_GROWTH = 1.5
"""A packet is sent again after the first time, beside that on the line; then ever less often."""

_BITS_OF_BYTE = 10


class LostError(Exception):
    """The board is not in the session: it was reset since."""


class BoardChannel:
    """The host's side of ``harness_link.h``: one request at a time, and its answer.

    Attributes
    ----------
    repeats : int
        How many packets were sent more than once, so far.
    """

    def __init__(self, line: Line) -> None:
        self.repeats = 0
        self._line = line
        self._receiver = Receiver()
        self._session = self._sequence = 0
        self._on_line_s = 2 * _BITS_OF_BYTE * packets.MAX_PACKET / line.baud

    def begin(self, timeout_s: float) -> Hello:
        """Begin a new session, for which a board in another one starts again.

        Raises
        ------
        DeviceError
            If the board does not answer in time, or speaks another version.
        """
        old = self._session
        while self._session in (0, old):
            self._session = secrets.randbelow(1 << 16)
        self._sequence = 0xFFFF  # the next is 0
        try:
            answer = self._turn(PacketKind.HELLO, b"", time.monotonic() + timeout_s, timeout_s)
        except LostError as error:
            raise _lost(self._line.name) from error
        hello = unpack_hello(answer)
        if hello is None or hello.version != HARNESS_VERSION:
            raise self._other_version("requests", hello.version if hello else 0, HARNESS_VERSION)
        return hello

    def exchange(self, request: bytes, timeout_s: float) -> tuple[FrameType, bytes]:
        """Send a frame and return type and payload of the answer.

        Raises
        ------
        DeviceError
            If the board does not answer in time, was reset, or answers with what is no frame.
        """
        deadline = time.monotonic() + timeout_s
        try:
            self._post(request, deadline, timeout_s)
            answer = bytearray()
            while len(answer) < HEADER.size:
                answer += self._turn(PacketKind.FETCH, b"", deadline, timeout_s)
            kind, size = unpack_header(bytes(answer[: HEADER.size]))
            while len(answer) < HEADER.size + size:
                answer += self._turn(PacketKind.FETCH, b"", deadline, timeout_s)
        except LostError as error:
            raise _lost(self._line.name) from error
        return kind, bytes(answer[HEADER.size : HEADER.size + size])

    def post(self, request: bytes, timeout_s: float) -> None:
        """Send a frame that has no answer.

        Raises
        ------
        LostError
            If the board has left the session, perhaps because it was asked to by this frame, and
            what said that the frame had come was lost.
        DeviceError
            If the board does not take the frame in time.
        """
        self._post(request, time.monotonic() + timeout_s, timeout_s)

    def quit(self) -> None:
        """Do nothing: a board starts again when the next session begins."""

    def close(self) -> None:
        """Let go of the line; may be called again."""
        self._line.close()

    def _post(self, request: bytes, deadline: float, timeout_s: float) -> None:
        for start in range(0, len(request), packets.MAX_DATA):
            data = request[start : start + packets.MAX_DATA]
            self._turn(PacketKind.DATA, data, deadline, timeout_s)

    def _turn(self, kind: PacketKind, data: bytes, deadline: float, timeout_s: float) -> bytes:
        """Send a packet until it is answered; return the data of the answer."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        packet = Packet(kind, self._session, self._sequence, data, packets.VERSION)
        sent = encode(packet)
        wait = _REPEAT_S
        while True:
            self._line.write(sent)
            until = min(time.monotonic() + wait + self._on_line_s, deadline)
            for answer in self._answers(until):
                if answer.kind == PacketKind.LOST + packets.ANSWER:
                    raise LostError
                if answer.kind == kind + packets.ANSWER:
                    return answer.data
            if time.monotonic() >= deadline:
                raise self._silence(timeout_s)
            self.repeats += 1
            wait = min(_GROWTH * wait, _LONGEST_REPEAT_S)

    def _answers(self, until: float) -> Iterator[Packet]:
        """Yield what comes of this session and packet until some time."""
        while time.monotonic() < until:
            for packet in self._receiver.feed(self._line.read()):
                if packet.version != packets.VERSION:
                    raise self._other_version("packets", packet.version, packets.VERSION)
                if (packet.session, packet.sequence) == (self._session, self._sequence):
                    yield packet

    def _silence(self, timeout_s: float) -> DeviceError:
        return DeviceError(
            f"The board did not answer within {timeout_s:g} s.",
            where=f"{self._line.name} at {self._line.baud} baud",
            supported="a board that runs an image built for a serial line with this baud rate",
            hint="Check cable, port, baud rate and that the image is flashed; "
            "raise the time-out if the model is merely slow.",
        )

    def _other_version(self, what: str, found: int, own: int) -> DeviceError:
        return DeviceError(
            f"The board speaks version {found} of the {what}, this program version {own}.",
            where=self._line.name,
            supported=f"version {own}",
            hint="Build image or monitor again with this version of the program, and flash it.",
        )


def _lost(name: str) -> DeviceError:
    return DeviceError(
        "The board was reset during the session.",
        where=name,
        hint="Check its power supply, and look for a watchdog that the image does not serve.",
    )
