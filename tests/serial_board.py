"""A board on a serial line, which is QEMU behind a pseudo-terminal."""

from __future__ import annotations

import contextlib
import heapq
import os
import select
import subprocess
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

from serial_harm import Harm

from tvm_embbert.measure.qemu import command_line
from tvm_embbert.target import Emulator

_CHUNK = 65536


class _Direction:
    """One direction of the line: splits the stream into frames and passes on what harm leaves."""

    def __init__(self, source: int, sink: int, harm: Harm) -> None:
        self.source, self.sink, self._harm = source, sink, harm
        self._frame = bytearray()
        self._delayed: list[tuple[float, int, bytes]] = []
        self._order = 0

    def take(self) -> None:
        for byte in os.read(self.source, _CHUNK):
            self._frame.append(byte)
            # A frame has a zero at either end.
            if byte == 0 and len(self._frame) > 1:
                self._pass_on(bytes(self._frame))
                self._frame.clear()

    def _pass_on(self, frame: bytes) -> None:
        for delay, data in self._harm.apply(frame):
            self._order += 1
            heapq.heappush(self._delayed, (time.monotonic() + delay, self._order, data))

    def flush(self) -> None:
        while self._delayed and self._delayed[0][0] <= time.monotonic():
            data = heapq.heappop(self._delayed)[2]
            while data:
                data = data[os.write(self.sink, data) :]


class SerialBoard:
    """QEMU with its first UART at ``port``; ``unplug`` makes it vanish as if it lost its power."""

    def __init__(self, emulator: Emulator, elf: Path, harm: Harm) -> None:
        # Two terminals: one that QEMU has as its UART, one that the session opens.
        self._board, board_end = os.openpty()
        self._host, host_end = os.openpty()
        self._ends = (board_end, host_end)
        for end in self._ends:
            tty.setraw(end)
        self.port = os.ttyname(host_end)
        self._emulator = emulator
        self._child = self._start(elf)
        self._directions = (
            _Direction(self._host, self._board, harm),
            _Direction(self._board, self._host, harm),
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._pump, daemon=True)
        self._thread.start()

    def _pump(self) -> None:
        sources = {direction.source: direction for direction in self._directions}
        while not self._stop.is_set():
            for source in select.select(list(sources), [], [], 0.005)[0]:
                sources[source].take()
            for direction in self._directions:
                direction.flush()

    def _start(self, elf: Path) -> subprocess.Popen[bytes]:
        command = command_line(self._emulator, elf, os.ttyname(self._ends[0]))
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def flash(self, elf: Path) -> None:
        """Replace what the board runs."""
        self.unplug()
        self._child = self._start(elf)

    def unplug(self) -> None:
        self._child.kill()
        self._child.wait()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.unplug()
        for descriptor in (self._board, self._host, *self._ends):
            os.close(descriptor)


@contextlib.contextmanager
def serial_board(emulator: Emulator, elf: Path, harm: Harm | None = None) -> Iterator[SerialBoard]:
    """Run an image on an emulated board with a serial line."""
    board = SerialBoard(emulator, elf, harm or Harm())
    with contextlib.closing(board):
        yield board
