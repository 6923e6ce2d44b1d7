"""Compilers and emulators as children that end with this process, however it ends.

Each has a process group of its own: GCC is a driver whose children would go on without it. A
terminal's Ctrl-C therefore does not reach them, and nothing does when this process is killed; so
:func:`end_all` ends them on a signal, and a small process (``watch.py``) after a kill.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import RLock
from typing import Any

_WATCH = Path(__file__).with_name("watch.py")


class _Children:
    """The groups that run, and the process that watches over this one."""

    def __init__(self) -> None:
        # Of one thread: a signal's handler may interrupt whoever holds it.
        self.lock = RLock()
        self.groups: set[int] = set()
        self.ending = False
        self._watch: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def tell(self, sign: str, group: int) -> None:
        """Tell the watch of a group; without one, children are ended on signals alone."""
        with contextlib.suppress(OSError):
            if self._watch is None or self._owner != os.getpid():
                self._watch, self._owner = _started(), os.getpid()
            assert self._watch.stdin is not None  # noqa: S101  it is a pipe
            self._watch.stdin.write(f"{sign}{group}\n".encode())
            self._watch.stdin.flush()


def _started() -> subprocess.Popen[bytes]:
    # In a group of its own: what ends this process must not end it.
    command = [sys.executable, "-I", "-S", str(_WATCH)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, process_group=0)


_children = _Children()


def start(command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a program; it is to be given to :func:`end`.

    Raises
    ------
    KeyboardInterrupt
        All are being ended: nothing more may start.
    """
    with _children.lock:
        if _children.ending:
            raise KeyboardInterrupt
        process = subprocess.Popen(command, process_group=0, **options)
        _children.groups.add(process.pid)
        _children.tell("+", process.pid)
        return process


def end(process: subprocess.Popen[Any]) -> None:
    """Kill a program and what it started, if it still runs, and forget it."""
    # Its number stays its own until it is waited for.
    if process.returncode is None:
        _kill(process.pid)
    process.wait()
    with _children.lock:
        if process.pid in _children.groups:
            _children.groups.discard(process.pid)
            _children.tell("-", process.pid)


@contextlib.contextmanager
def running(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Run a program as long as the context lasts; see :func:`start` and :func:`end`."""
    process = start(command, **options)
    try:
        with process:
            try:
                yield process
            except BaseException:
                _kill(process.pid)
                raise
    finally:
        end(process)


def end_all() -> None:
    """Kill all that run; nothing starts from now on, until :func:`begin_again`."""
    with _children.lock:
        _children.ending = True
        for group in _children.groups:
            _kill(group)


def begin_again() -> None:
    """Let programs start again."""
    _children.ending = False


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
