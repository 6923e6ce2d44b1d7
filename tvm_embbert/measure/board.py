"""Answers of a model on a board, over a serial line, and the cycles that they take."""

from __future__ import annotations

import time
import warnings
from pathlib import Path

from tvm_embbert.errors import DeviceError, UsageError
from tvm_embbert.measure.board_channel import BoardChannel
from tvm_embbert.measure.emulator import instructions_of
from tvm_embbert.measure.flashing import Flasher
from tvm_embbert.measure.harness_session import DEFAULT_TIMEOUT_S, HarnessSession
from tvm_embbert.measure.image import Image
from tvm_embbert.measure.linking import read_number
from tvm_embbert.measure.monitor import build_monitor, run_loaded
from tvm_embbert.measure.packet import Role
from tvm_embbert.measure.protocol import FrameType, Result
from tvm_embbert.measure.serial_line import SerialLine
from tvm_embbert.measure.session import Answer, Ids
from tvm_embbert.measure.wiring import require_emulator, require_serial

OPEN_S = 10.0
"""Seconds that a board may take to answer at all, unless its requests have less."""

_COUNTER_SIZE = 2**32
"""Values of the counter "dwt", after which it begins again."""


class _NotThereError(DeviceError):
    """The board does not run the image that it should: it must be flashed."""


class BoardSession(HarnessSession):
    """An image on a board at a serial port, ready to answer any number of requests.

    The port is free again when the session ends: close it, or use ``with``. The image stays on
    the board, and starts again when another session begins.

    Attributes
    ----------
    unit : str
        What answers and profiles count: "cycles", or "instructions".
    flashes : int
        How often the board was flashed to begin this session.
    """

    def __init__(
        self, image: Image, channel: BoardChannel, timeout_s: float, flashes: int = 0
    ) -> None:
        """Ask the image for its sizes; :func:`open_board` begins the session before."""
        self._serial = require_serial(image.target)
        self._channel_of_board = channel
        self._warned = False
        self._duration_s = 0.0
        self.unit = self._serial.unit
        self.flashes = flashes
        super().__init__(image, channel, timeout_s)

    @property
    def repeats(self) -> int:
        """How many packets had to be sent more than once, so far."""
        return self._channel_of_board.repeats

    def _run(self, kind: FrameType, ids: Ids, length: int | None) -> Result:
        start = time.monotonic()
        result = super()._run(kind, ids, length)
        self._duration_s = time.monotonic() - start
        return result

    def _answer(self, result: Result) -> Answer:
        problem = self._problem(result.ticks) if result.code == 0 else ""
        if problem:
            self._warn(problem)
            return Answer(result.code, result.logits, None)
        count = self._counts([result.ticks])[0]
        if self.unit == "cycles":
            return Answer(result.code, result.logits, None, cycles=count)
        return Answer(result.code, result.logits, count)

    def profile(self, ids: Ids) -> list[int]:
        """Return the cycles, or instructions, of each step; see :class:`HarnessSession`.

        Raises
        ------
        DeviceError
            Beside the other reasons, if the counter stands still or may have run over.
        """
        steps = super().profile(ids)
        if problem := self._problem(sum(steps)):
            raise DeviceError(problem, where=str(self._image.target.source))
        return steps

    def _counts(self, ticks: list[int]) -> list[int]:
        if self._serial.counter:
            return ticks
        emulator = require_emulator(self._image.target)
        return [instructions_of(emulator, one) for one in ticks]

    def _problem(self, ticks: int) -> str:
        """Return why the ticks of an inference are no count, or ""."""
        name = self._serial.counter or "of the emulated board"
        if ticks == 0:
            return (
                f"The counter {name} stands still, so {self.unit} are not counted: the board "
                "(or QEMU, which has no counter of cycles for Arm) lacks it, or keeps it off."
            )
        # The answer took at least as long as the model.
        if self._serial.counter == "dwt":
            longest = _COUNTER_SIZE / self._serial.core_hz
            if self._duration_s >= longest:
                return (
                    f"The answer took {self._duration_s:.1f} s, and the counter dwt runs over "
                    f"after {longest:.1f} s: cycles are not counted."
                )
        return ""

    def _warn(self, problem: str) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(problem, stacklevel=4)


def open_board(
    image: Image,
    port: str = "",
    baud: int | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    flasher: Flasher | None = None,
) -> BoardSession:
    """Open a session with a board.

    Parameters
    ----------
    image
        What ``build_image(..., link="serial")`` returned, which the board must run; or what
        ``link="load"`` made, which the monitor that the board must run loads to RAM.
    port
        The serial port; else that of the device's file.
    baud
        Bits in a second; else those of the device's file, which the image was built with.
    timeout_s
        Seconds that each request may take; the board must answer at all within :data:`OPEN_S`.
    flasher
        What writes image or monitor to the board where it runs something else.

    Raises
    ------
    UsageError
        If no port is given, or the image is not for a serial line.
    DeviceError
        If the port cannot be opened, or the board does not answer or runs another image.
    ToolchainError
        If the board cannot be flashed, or the image is damaged.
    """
    serial = require_serial(image.target)
    port = port or serial.port
    if image.link == "semihosting" or not port:
        what = "The image is for the emulator." if port else "The board's serial port is not given."
        hint = 'Build it with build_image(..., link="serial").' if port else "Give the port."
        raise UsageError(what, where=str(image.elf), supported="serial and load", hint=hint)
    speed = baud or serial.baud
    try:
        return _open(image, port, speed, timeout_s, 0)
    except _NotThereError:
        if flasher is None:
            raise
    flasher.flash(_resident(image))
    return _open(image, port, speed, timeout_s, 1)


def _resident(image: Image) -> Path:
    """Return what lies in the board's flash for an image."""
    return build_monitor(image.target, image.elf.parent) if image.link == "load" else image.elf


def _open(image: Image, port: str, baud: int, timeout_s: float, flashes: int) -> BoardSession:
    channel = BoardChannel(SerialLine(port, baud))
    try:
        if image.link == "load":
            _require(channel, min(OPEN_S, timeout_s), Role.MONITOR, None)
            run_loaded(channel, image, timeout_s)
        number = read_number(image.map_file)
        _require(channel, min(OPEN_S, timeout_s), Role.MODEL, number)
        return BoardSession(image, channel, timeout_s, flashes)
    except BaseException:
        channel.close()
        raise


def _require(channel: BoardChannel, timeout_s: float, role: Role, number: int | None) -> None:
    """Begin a session with an image of that role and number, None for any."""
    try:
        hello = channel.begin(timeout_s)
    except DeviceError as error:
        raise _NotThereError(
            error.what, where=error.where, supported=error.supported, hint=error.hint
        ) from error
    if hello.role == role and number in (None, hello.image):
        return
    wanted = "the monitor" if role == Role.MONITOR else "the image"
    raise _NotThereError(
        f"The board does not run {wanted}: it answers with image number {hello.image:#010x}.",
        where=f"role {hello.role}",
        supported=f"role {role.value}" + ("" if number is None else f", number {number:#010x}"),
        hint=f"Flash {wanted}, or give the device's file a command: flash = '... {{elf}}'.",
    )
