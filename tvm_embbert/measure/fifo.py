"""A pair of named pipes to a child process, with time-outs and without deadlocks.

Both pipes are opened for reading and writing: opening then never waits for the child, and a child
that dies early leaves no end of file to be mistaken for an answer. That the child died is found
by asking about the process itself.
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from pathlib import Path

from tvm_embbert.errors import DeviceError

POLL_S = 0.05
"""Seconds between looks at whether the child still lives, while it stays silent."""

_CHUNK = 65536


class ChildDiedError(Exception):
    """The child ended before it had answered."""


class SilenceError(Exception):
    """The child lives, but did not answer in time."""


def make_fifo(path: Path) -> int:
    """Create a named pipe and return a descriptor of it that never blocks."""
    try:
        os.mkfifo(path, 0o600)
        return os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        raise DeviceError(
            f"The named pipe to the emulator could not be made: {error.strerror}.",
            where=str(path),
            hint="Set TMPDIR to a folder on a local file system.",
        ) from error


class FifoPair:
    """The pipes ``request`` (to the child) and ``response`` (from it) in a folder."""

    def __init__(self, folder: Path) -> None:
        """Create and open both pipes; raise :class:`DeviceError` if that is impossible."""
        self._request = make_fifo(folder / "request")
        try:
            self._response = make_fifo(folder / "response")
        except DeviceError:
            os.close(self._request)
            raise

    def send(self, data: bytes, child: subprocess.Popen[bytes], deadline: float) -> None:
        """Write all data; ``deadline`` is a time of :func:`time.monotonic`.

        Raises
        ------
        ChildDiedError, SilenceError
            If the child died, or did not take the data before the deadline.
        """
        view = memoryview(data)
        while view:
            _wait([], [self._request], child, deadline)
            try:
                view = view[os.write(self._request, view[:_CHUNK]) :]
            except BlockingIOError:
                # The pipe has some room, but less than a write that must not be split needs.
                time.sleep(POLL_S)

    def receive(self, size: int, child: subprocess.Popen[bytes], deadline: float) -> bytes:
        """Read exactly ``size`` bytes; raises as :meth:`send` does."""
        data = bytearray()
        while len(data) < size:
            _wait([self._response], [], child, deadline)
            data += os.read(self._response, min(size - len(data), _CHUNK))
        return bytes(data)

    def close(self) -> None:
        """Close both pipes."""
        os.close(self._request)
        os.close(self._response)


def _wait(
    read: list[int], write: list[int], child: subprocess.Popen[bytes], deadline: float
) -> None:
    while True:
        # Before the look at the pipe: what a dying child still wrote is then not missed.
        died = child.poll() is not None
        left = deadline - time.monotonic()
        ready = select.select(read, write, [], 0 if died else max(0.0, min(POLL_S, left)))
        if died and (write or not ready[0]):
            raise ChildDiedError
        if ready[0] or ready[1]:
            return
        if left <= 0:
            raise SilenceError
