"""A project's console: what the device prints, and what is typed there."""

from __future__ import annotations

import os
import re
import select
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from tvm_embbert.project.api import IoTimeoutError, ProjectHandler, TransportClosedError

ENDS = re.compile(rb"(?:self-test: (\d+) of (\d+) passed|benchmark: (done|failed))[^\n]*\n")
"""The last line of programs that end."""

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
        heard = time.monotonic()
        typing = typed
        while True:
            if typing is not None:
                typing = self._type(typing)
            if self._listen():
                heard = time.monotonic()
            end = ENDS.search(self._seen) if self.ends else None
            if end:
                return _status(end)
            if self._closed:
                return 1 if self.ends else 0
            if typing is None and timeout_s is not None and time.monotonic() - heard > timeout_s:
                if self.ends:
                    raise IoTimeoutError(f"the program printed nothing for {timeout_s:g} s")
                return 0

    _closed: bool = field(default=False, init=False)

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
        if not data:
            return None
        self.handler.write_transport(data, None)
        return typed


def _status(end: re.Match[bytes]) -> int:
    passed, of, benchmark = end.groups()
    return int(benchmark == b"failed" or passed != of)


def lines_of(data: bytes) -> Iterator[str]:
    """Return what was printed, line by line."""
    return iter(data.decode("utf-8", "replace").replace("\r", "").splitlines())
