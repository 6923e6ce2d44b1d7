"""Bytes to a device and from it: an emulator's console, or a serial port."""

from __future__ import annotations

import os
import select
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path

from tvm_embbert.errors import ToolchainError
from tvm_embbert.measure.qemu import command_line
from tvm_embbert.measure.serial_line import SerialLine
from tvm_embbert.project.api import IoTimeoutError, TransportClosedError
from tvm_embbert.target import Emulator

_CHUNK = 4096


class Transport(ABC):
    """Carries bytes; raises the errors of the Project API."""

    @abstractmethod
    def read(self, n: int, timeout_s: float | None) -> bytes:
        """Return 1 to n bytes."""

    @abstractmethod
    def write(self, data: bytes, timeout_s: float | None) -> None:
        """Send all bytes."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it; may be called again."""


class QemuTransport(Transport):
    """The first UART of a board in QEMU. Ends with the emulator, which ends with it."""

    def __init__(self, emulator: Emulator, image: Path) -> None:
        """Start QEMU; raise :class:`ToolchainError` if it or the image is missing."""
        if not image.is_file():
            raise ToolchainError(
                "The image is missing.", where=str(image), hint="Build the project first."
            )
        self._child = subprocess.Popen(
            command_line(emulator, image.resolve(), serial="stdio"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        to, out = self._child.stdin, self._child.stdout
        if to is None or out is None:
            raise ToolchainError("The emulator has no pipes.", where=str(image))
        self._to, self._from = to, out

    def read(self, n: int, timeout_s: float | None) -> bytes:
        """Return what the board printed."""
        if not select.select([self._from], [], [], timeout_s)[0]:
            raise IoTimeoutError("the board printed nothing in time")
        data = os.read(self._from.fileno(), n)
        if not data:
            raise TransportClosedError("the emulator ended")
        return data

    def write(self, data: bytes, timeout_s: float | None) -> None:
        """Type on the board's console."""
        left = data
        while left:
            if not select.select([], [self._to], [], timeout_s)[1]:
                raise IoTimeoutError("the board does not read")
            try:
                left = left[os.write(self._to.fileno(), left[:_CHUNK]) :]
            except BrokenPipeError as error:
                raise TransportClosedError("the emulator ended") from error

    def close(self) -> None:
        """Kill the emulator."""
        self._child.kill()
        self._child.wait()
        self._to.close()
        self._from.close()


class SerialTransport(Transport):
    """A serial port of this machine."""

    def __init__(self, port: str, baud: int) -> None:
        """Open the port; raises as :class:`tvm_embbert.measure.serial_line.SerialLine`."""
        self._line = SerialLine(port, baud)
        self._left = b""

    def read(self, n: int, timeout_s: float | None) -> bytes:
        """Return what came."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._left:
            self._left = self._line.read()
            if not self._left and deadline is not None and time.monotonic() >= deadline:
                raise IoTimeoutError("nothing came in time")
        data, self._left = self._left[:n], self._left[n:]
        return data

    def write(self, data: bytes, timeout_s: float | None) -> None:
        """Send all bytes; the line has a time-out of its own."""
        self._line.write(data)

    def close(self) -> None:
        """Let go of the port."""
        self._line.close()
