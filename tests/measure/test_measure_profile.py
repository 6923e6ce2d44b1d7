"""Profiles of models whose steps run in loops: each step's own instructions, nothing lost."""

from __future__ import annotations

import pytest

from tvm_embbert.errors import DeviceError
from tvm_embbert.measure import EmulatorSession

pytestmark = pytest.mark.emulator

BOARDS = (
    "mps2-an385",
    "mps2-an386",
    "mps2-an500",
    "mps2-an505",
    "mps2-an521",
    "mps3-an547",
    "virt-rv32",
    "virt-rv32v",
)
BOARD = BOARDS[1]

TIMEOUT_S = 20.0
NO_END, STEP_NUMBER = 902, 903
TILES, ROWS, LONG, SHORT = 40, 10, 1000, 5


@pytest.mark.parametrize("board", BOARDS)
def test_steps_in_loops_add_up(tiled_for, board):
    with EmulatorSession(tiled_for(board), TIMEOUT_S) as session:
        total = session.infer([1, 2, 3]).instructions
    with EmulatorSession(tiled_for(board, profile=True), TIMEOUT_S) as session:
        steps = session.profile([1, 2, 3])
        assert session.profile([1, 2, 3]) == steps
    assert len(steps) == 6
    assert sum(steps) == pytest.approx(total, rel=3e-3)


@pytest.mark.parametrize("board", BOARDS)
def test_each_step_has_its_own_instructions(tiled_for, board):
    with EmulatorSession(tiled_for(board, profile=True), TIMEOUT_S) as session:
        steps = session.profile([1, 2, 3])
    assert steps[1] == pytest.approx(TILES * 2 * LONG, rel=5e-3)
    assert steps[4] == pytest.approx(TILES // 2 * 2 * LONG, rel=5e-3)
    # Two instructions a turn, one to set the counter: the mark would be three times as many.
    assert steps[2] == pytest.approx(TILES * ROWS * (2 * SHORT + 1), rel=0.2)


def test_profile_without_the_last_mark(tiled_for):
    with (
        EmulatorSession(tiled_for(BOARD, profile=True), TIMEOUT_S) as session,
        pytest.raises(DeviceError, match="does not mark its end"),
    ):
        session.profile([NO_END])


@pytest.mark.parametrize("number", [1025, 2**31 - 1])
def test_profile_with_too_many_steps(tiled_for, number):
    with (
        EmulatorSession(tiled_for(BOARD, profile=True), TIMEOUT_S) as session,
        pytest.raises(DeviceError, match="more steps"),
    ):
        session.profile([STEP_NUMBER, number])
