"""The console of a project: what is typed and printed, and how it ends."""

from __future__ import annotations

import os
import pty
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import pytest
from test_project_api import Echo

from tvm_embbert.project.api import IoTimeoutError, TransportClosedError
from tvm_embbert.project.console import Console, lines_of, unechoed


class Board(Echo):
    """Prints some text, then is silent or gone."""

    def __init__(self, text: bytes, gone: bool = False) -> None:
        super().__init__()
        self.data, self.gone, self.is_open = text, gone, True

    def read_transport(self, n: int, timeout_sec: float | None) -> bytes:
        if not self.data and self.gone:
            raise TransportClosedError
        return super().read_transport(n, timeout_sec)


@contextmanager
def typed(text: bytes) -> Iterator[BinaryIO]:
    reader, writer = os.pipe()
    os.write(writer, text)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        yield stream


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"self-test: 3 of 3 passed\r\n", 0),
        (b"x\nself-test: 2 of 3 passed: NOT it\r\n", 1),
        (b"benchmark: done\n", 0),
        (b"benchmark: failed\n", 1),
    ],
)
def test_programs_that_end(text: bytes, status: int) -> None:
    shown: list[bytes] = []
    assert Console(Board(text + b"> "), shown.append, ends=True).run(None, 0.2) == status
    assert b"".join(shown) == text + b"> "


def test_a_program_that_stops_or_falls_silent() -> None:
    assert Console(Board(b"passed\n", gone=True), bytes, ends=True).run(None, 0.2) == 1
    with pytest.raises(IoTimeoutError, match="printed nothing"):
        Console(Board(b"passed\n"), bytes, ends=True).run(None, 0.2)


def test_what_is_typed_is_answered() -> None:
    shown: list[bytes] = []
    with typed(b"2 17\n\x04more") as lines:
        assert Console(Board(b"> "), shown.append, ends=False).run(lines, 0.2) == 0
    assert b"".join(shown) == b"> 2 17\n"
    with typed(b"") as lines:
        assert Console(Board(b"", gone=True), shown.append, ends=False).run(lines, None) == 0


def test_a_self_test_on_the_console_does_not_end_it() -> None:
    shown: list[bytes] = []
    with typed(b"x") as lines:
        Console(Board(b"self-test: 1 of 2 passed\n"), shown.append, ends=False).run(lines, 0.2)
    assert b"".join(shown).endswith(b"x")


def test_terminals_do_not_echo_meanwhile() -> None:
    host, end = pty.openpty()
    with os.fdopen(end, "rb") as terminal:
        before = termios.tcgetattr(terminal)
        with unechoed(terminal):
            assert not termios.tcgetattr(terminal)[3] & termios.ECHO
        assert termios.tcgetattr(terminal) == before
    os.close(host)


def test_lines() -> None:
    assert list(lines_of(b"a\r\nb\xff\n")) == ["a", "b\ufffd"]
