"""Measuring on a board at a serial line: in RAM, or many candidates each time it is flashed."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from tvm_embbert.measure import Flasher, open_board
from tvm_embbert.measure.wiring import require_serial, with_baud
from tvm_embbert.target import Target
from tvm_embbert.tune.bench import TIMEOUT_S, build_bench, run_bench
from tvm_embbert.tune.bench_sources import bench_files
from tvm_embbert.tune.candidate import Candidate
from tvm_embbert.tune.meter import Meter, measure_halving, trials_of
from tvm_embbert.tune.trial_log import Trial


class BoardMeter(Meter):
    """Builds one image of a whole batch, and runs it on a board.

    Attributes
    ----------
    flashes : int
        How often the board's flash was written so far; it wears.
    """

    def __init__(self, target: Target, port: str = "", baud: int | None = None) -> None:
        """Take a device's serial line; its file's port and speed where none are given.

        Raises
        ------
        TargetError
            The device's file has no ``[serial]`` table.
        """
        self._serial = require_serial(target)
        self._target = with_baud(target, baud)
        self._port, self._baud = port, baud
        self.flashes = 0

    @property
    def unit(self) -> str:
        """Return what the board's counter counts."""
        return self._serial.unit

    @property
    def runner(self) -> str:
        """Return the kind of board, not the port: records must not differ by the port."""
        return f"board {self._target.name}"

    def measure(self, candidates: Sequence[Candidate]) -> list[Trial]:
        """Measure all candidates with one image, or halves of it where it fails."""
        return measure_halving(candidates, self._together)

    def _together(self, candidates: Sequence[Candidate]) -> list[Trial]:
        link = "load" if self._serial.load_ram else "serial"
        with tempfile.TemporaryDirectory(prefix="tvm-embbert-tune-") as folder:
            image = build_bench(bench_files(candidates), self._target, Path(folder), link)
            with open_board(image, self._port, self._baud, TIMEOUT_S, self._flasher()) as session:
                self.flashes += session.flashes
                return trials_of(candidates, run_bench(image, len(candidates), session))

    def _flasher(self) -> Flasher | None:
        port = self._port or self._serial.port
        return Flasher(self._serial.flash, port) if self._serial.flash else None
