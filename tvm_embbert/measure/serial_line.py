"""A serial port of this machine, as bytes in both directions."""

from __future__ import annotations

import errno
import os
from typing import Protocol

import serial

from tvm_embbert.errors import DeviceError, UsageError

_WAIT_S = 0.02
"""Seconds that one read waits for its first byte."""

_WRITE_S = 5.0


class Line(Protocol):
    """Bytes to a board and from it, any of which may be lost, damaged or added."""

    @property
    def name(self) -> str:
        """What errors call it."""

    @property
    def baud(self) -> int:
        """Bits in a second; a byte takes ten."""

    def write(self, data: bytes) -> None:
        """Send all bytes; raise :class:`DeviceError` if the line is gone."""

    def read(self) -> bytes:
        """Return what came, at the latest after a short while; raises as :meth:`write`."""

    def close(self) -> None:
        """Let go of the line; may be called again."""


class SerialLine:
    """A serial port: 8 bits, no parity, one stop bit, no flow control; nobody else may open it."""

    def __init__(self, port: str, baud: int) -> None:
        """Open the port.

        Raises
        ------
        UsageError
            If the baud rate is none that the port can have.
        DeviceError
            If the port is missing, in use by others, or not to be opened by this user.
        """
        self.name, self.baud = port, baud
        try:
            self._port = serial.Serial(
                port, baud, timeout=_WAIT_S, write_timeout=_WRITE_S, exclusive=True
            )
            self._port.reset_input_buffer()
        except ValueError as error:
            raise UsageError(f"The port cannot have {baud} baud.", where=port) from error
        except (OSError, serial.SerialException) as error:
            raise _not_opened(port, error) from error

    def write(self, data: bytes) -> None:
        """Send all bytes; raise :class:`DeviceError` if the line is gone."""
        try:
            self._port.write(data)
        except serial.SerialTimeoutException:
            # A board that takes nothing: whoever waits for its answer will tell.
            self._port.reset_output_buffer()
        except (OSError, serial.SerialException) as error:
            raise self._gone(error) from error

    def read(self) -> bytes:
        """Return what came, at the latest after a short while; raises as :meth:`write`."""
        try:
            first: bytes = self._port.read(1)
            return first + self._port.read(self._port.in_waiting) if first else first
        except (OSError, serial.SerialException) as error:
            raise self._gone(error) from error

    def close(self) -> None:
        """Let go of the port; may be called again."""
        self._port.close()

    def _gone(self, error: Exception) -> DeviceError:
        return DeviceError(
            f"The serial port broke off: {error}.",
            where=self.name,
            hint="Check the cable and the board's power, and open the session again.",
        )


_HINTS = {
    errno.ENOENT: "Check the name: on Linux /dev/ttyACM0 or /dev/ttyUSB0, on macOS /dev/cu.usb...",
    errno.EACCES: "On Linux add yourself to the group that owns the port, often dialout.",
    errno.EBUSY: "Close the program that uses it, such as a terminal.",
}


def _not_opened(port: str, error: Exception) -> DeviceError:
    number = getattr(error, "errno", None)
    # pyserial tells of a lock that somebody else holds without the system's number.
    busy = number in (errno.EAGAIN, errno.EWOULDBLOCK) or "lock" in str(error)
    hint = _HINTS.get(errno.EBUSY if busy else number or 0, "Check that it is a serial port.")
    reason = "it is in use" if busy else os.strerror(number) if number else str(error)
    return DeviceError(f"The serial port cannot be opened: {reason}.", where=port, hint=hint)
