"""Candidates on a board at a serial line, which is QEMU with its UART at a pseudo-terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from serial_board import serial_board
from serial_harm import Harm

from tvm_embbert.measure import build_monitor
from tvm_embbert.measure.wiring import require_emulator
from tvm_embbert.target_file import load_target
from tvm_embbert.tune.board_meter import BoardMeter
from tvm_embbert.tune.candidate import Candidate
from tvm_embbert.tune.meter import EmulatorMeter
from tvm_embbert.tune.session import default_config
from tvm_embbert.tune.task import Task

pytestmark = pytest.mark.emulator

TARGET = load_target("mps2-an386")


@pytest.mark.parametrize("harm", [None, Harm(0.1, seed=1)], ids=["clean", "harmed"])
def test_board_gives_what_the_emulator_gives(
    tasks: list[Task], tmp_path: Path, harm: Harm | None
) -> None:
    """Loaded to RAM by the monitor, with a tenth of the frames damaged, lost or late."""
    chosen = [t for t in tasks if t.operator in ("lookup", "rms_norm", "running_sum")]
    candidates = [Candidate(task, default_config(task)) for task in chosen]
    monitor = build_monitor(TARGET, tmp_path)
    with serial_board(require_emulator(TARGET), monitor, harm) as board:
        meter = BoardMeter(TARGET, board.port)
        trials = meter.measure(candidates)
    expected = EmulatorMeter(TARGET, 1).measure(candidates)
    assert [(t.task, t.error) for t in trials] == [(t.task, "") for t in expected]
    for one, other in zip(trials, expected, strict=True):
        # Code in RAM lies elsewhere: calls may take a few instructions more.
        assert abs((one.count or 0) - (other.count or 0)) <= 4
    assert meter.flashes == 0
    assert meter.unit == "instructions"
