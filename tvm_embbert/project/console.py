"""A project's console: what the device prints, and what is typed there."""

from __future__ import annotations

import os
import re
import select
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

from tvm_embbert.project.api import IoTimeoutError, ProjectHandler, TransportClosedError

ENDS = re.compile(rb"(?:self-test: (\d+) of (\d+) passed|benchmark: (done|failed))[^\n]*\n")
"""The last line of programs that end."""

END_OF_TRANSMISSION = b"\x04"
"""What Ctrl-D types."""

_WAIT_S = 0.05
_CHUNK = 4096


@dataclass
class Console:
    """Passes bytes between a device and somebody at a terminal, or a file.

    Attributes
    ----------
    handler : ProjectHandler
        With an open transport.
    show : callable
        Takes what the device prints.
    ends : bool
        Whether the program ends by itself, with a line of :data:`ENDS`.
    """

    handler: ProjectHandler
    show: Callable[[bytes], None]
    ends: bool
    _seen: bytes = field(default=b"", init=False)
    _closed: bool = field(default=False, init=False)

    def run(self, typed: BinaryIO | None, timeout_s: float | None) -> int:
        """Pass bytes until the program or the typing ends.

        Parameters
        ----------
        typed : BinaryIO or None
            What is typed; the device has `timeout_s` to answer what came last.
        timeout_s : float or None
            Seconds of silence after which it is over, once nothing more is typed.

        Returns
        -------
        int
            0, or 1 if a program that ends says that it failed.

        Raises
        ------
        IoTimeoutError
            A program that ends was silent for too long.
        """
        heard, typing = time.monotonic(), typed
        while True:
            if typing is not None:
                typing = self._type(typing)
            if self._listen():
                heard = time.monotonic()
            if self._closed or ENDS.search(self._seen):
                return self._status()
            silent = time.monotonic() - heard
            if typing is None and timeout_s is not None and silent > timeout_s:
                return self._silence(timeout_s)

    def _status(self) -> int:
        """Return what the program said at its end; one that should say something has failed."""
        end = ENDS.search(self._seen)
        if end is None:
            return int(self.ends)
        passed, of, benchmark = end.groups()
        return int(benchmark == b"failed" or passed != of)

    def _silence(self, timeout_s: float) -> int:
        if self.ends:
            raise IoTimeoutError(f"the program printed nothing for {timeout_s:g} s")
        return 0

    def _listen(self) -> bool:
        try:
            data = self.handler.read_transport(_CHUNK, _WAIT_S)
        except IoTimeoutError:
            return False
        except TransportClosedError:
            self._closed = True
            return False
        self.show(data)
        if self.ends:
            self._seen += data
        return True

    def _type(self, typed: BinaryIO) -> BinaryIO | None:
        """Pass on what is typed; None at its end."""
        if not select.select([typed], [], [], 0)[0]:
            return typed
        data = os.read(typed.fileno(), 1)
        if data in (b"", END_OF_TRANSMISSION):
            return None
        self.handler.write_transport(data, None)
        return typed


@contextmanager
def unechoed(typed: BinaryIO | None) -> Iterator[None]:
    """Leave the echo of what is typed at a terminal to the device, and its lines unbuffered."""
    if typed is None or not typed.isatty():
        yield
        return
    before = termios.tcgetattr(typed)
    tty.setcbreak(typed.fileno())
    try:
        yield
    finally:
        termios.tcsetattr(typed, termios.TCSADRAIN, before)


def lines_of(data: bytes) -> Iterator[str]:
    """Return what was printed, line by line."""
    return iter(data.decode("utf-8", "replace").replace("\r", "").splitlines())
