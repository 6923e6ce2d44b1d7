"""The frames between this program and the harness on a device.

The other side is ``runtime/include/harness_protocol.h``, which says what each frame holds.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from tvm_embbert.errors import DeviceError
from tvm_embbert.measure.guards import guard_error

MAGIC = 0x51424D45
VERSION = 2

HEADER = struct.Struct("<IHHI")
"""Magic, version, type, bytes of payload."""

MAX_PAYLOAD = 1 << 20
"""Bytes that no answer exceeds; a larger length means that the stream is damaged."""

_REQUEST = struct.Struct("<iI")
_INFO = struct.Struct("<5I")
_RESULT = struct.Struct("<iIQII")
_STEP = struct.Struct("<QII")
_ERROR = struct.Struct("<II32s")
_WRITE = struct.Struct("<II")

MARK_SAMPLES = 256
"""Marks whose time the harness measures to learn what one takes."""

_GUARD = 5

_ERRORS = {
    1: "it got a damaged request",
    2: "it does not know the type of request (a profile needs a profiling image)",
    3: "the instruction counter ran over during one inference",
    4: "the model has more steps than the harness can mark, or does not mark its end",
    7: "the image has no such candidate",
    6: "the address lies outside of the region that images are loaded to",
}


class FrameType(IntEnum):
    """What a frame asks or answers."""

    INFO = 1
    INFER = 2
    PROFILE = 3
    STACK = 4
    QUIT = 5
    FAULT = 6
    ERROR = 7
    WRITE = 8
    CHECK = 9
    RUN = 10
    SELECT = 11


@dataclass(frozen=True)
class HarnessInfo:
    """What the image was built with; lengths in tokens, sizes (the arena's: all pools) in bytes."""

    max_length: int
    num_outputs: int
    arena_size: int
    stack_size: int
    profile: bool


@dataclass(frozen=True)
class StepTicks:
    """Ticks of the counter during all runs of a step, and how many runs there were.

    Each run includes the time of one mark.
    """

    ticks: int
    marks: int


@dataclass(frozen=True)
class Result:
    """An inference's outcome; ``ticks`` are those of the counter during the whole call.

    ``steps`` holds the steps by their index, ``mark_ticks`` what :data:`MARK_SAMPLES` marks take.
    """

    code: int
    ticks: int
    steps: tuple[StepTicks, ...]
    mark_ticks: int
    logits: npt.NDArray[np.int16]


def pack(kind: FrameType, payload: bytes = b"") -> bytes:
    """Return a whole frame."""
    return HEADER.pack(MAGIC, VERSION, kind, len(payload)) + payload


def pack_sentence(kind: FrameType, ids: npt.NDArray[np.int32], length: int) -> bytes:
    """Return a request to run the model, with the length that the model is told."""
    return pack(kind, _REQUEST.pack(length, len(ids)) + ids.astype("<i4").tobytes())


def pack_write(address: int, data: bytes) -> bytes:
    """Return a request to the monitor to write data to an address."""
    return pack(FrameType.WRITE, _WRITE.pack(address, len(data)) + data)


def pack_check(address: int, size: int) -> bytes:
    """Return a request to the monitor for the checksum of some bytes of memory."""
    return pack(FrameType.CHECK, _WRITE.pack(address, size))


def pack_run(address: int) -> bytes:
    """Return a request to the monitor to run the image whose vectors stand at an address."""
    return pack(FrameType.RUN, _WRITE.pack(address, 0))


def pack_select(index: int) -> bytes:
    """Return a request to run another candidate of the image from now on."""
    return pack(FrameType.SELECT, struct.pack("<I", index))


def unpack_header(data: bytes) -> tuple[FrameType, int]:
    """Return type and bytes of payload; raise :class:`DeviceError` if it is no frame of ours."""
    magic, version, kind, length = HEADER.unpack(data)
    known = kind in FrameType.__members__.values()
    if magic != MAGIC or version != VERSION or not known or length > MAX_PAYLOAD:
        raise DeviceError(
            "The device sent something that is no answer.",
            where=f"bytes {data.hex(' ')}",
            supported=f"frames of version {VERSION}",
            hint="Build the image again with this version of the program.",
        )
    return FrameType(kind), length


def unpack_info(payload: bytes) -> HarnessInfo:
    """Return what INFO answered."""
    _require_size(payload, _INFO.size)
    max_length, num_outputs, arena_size, stack_size, profile = _INFO.unpack(payload)
    return HarnessInfo(max_length, num_outputs, arena_size, stack_size, bool(profile))


def unpack_stack(payload: bytes) -> int:
    """Return the bytes of stack that STACK answered."""
    _require_size(payload, 4)
    return int.from_bytes(payload, "little")


def unpack_checksum(payload: bytes) -> int:
    """Return the CRC-32 of the memory that WRITE or CHECK answered."""
    _require_size(payload, 4)
    return int.from_bytes(payload, "little")


def unpack_result(payload: bytes) -> Result:
    """Return what INFER or PROFILE answered."""
    if len(payload) < _RESULT.size:
        _require_size(payload, _RESULT.size)
    code, outputs, ticks, steps, mark_ticks = _RESULT.unpack_from(payload)
    end = _RESULT.size + steps * _STEP.size
    _require_size(payload, end + 2 * outputs)
    found = [StepTicks(t, marks) for t, marks, _ in _STEP.iter_unpack(payload[_RESULT.size : end])]
    logits = np.frombuffer(payload, "<i2", outputs, end)
    return Result(code, ticks, tuple(found), mark_ticks, logits.astype(np.int16))


def error_of(payload: bytes) -> DeviceError:
    """Return the error for an ERROR frame."""
    _require_size(payload, _ERROR.size)
    code, behind, name = _ERROR.unpack(payload)
    if code == _GUARD:
        return guard_error(name.rstrip(b"\0").decode("ascii", "replace"), bool(behind))
    reason = _ERRORS.get(code, f"unknown reason {code}")
    hint = "Lower icount_shift in the core's file." if code == 3 else ""
    return DeviceError(f"The harness gave up: {reason}.", hint=hint)


def _require_size(payload: bytes, size: int) -> None:
    if len(payload) != size:
        raise DeviceError(f"The device's answer has {len(payload)} bytes instead of {size}.")
