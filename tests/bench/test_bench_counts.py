"""What the benchmark counts: multiply-accumulates, regressions, and the committed figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from boards import totals
from macs import multiply_accumulates
from run import RESULTS, TOLERANCE, emulated_boards, regressions

import tvm_embbert
from tvm_embbert.lowering import lower
from tvm_embbert.quantize.integer_module import IntegerModule

QUICK = 32
"""Tokens of the inference that every run of the tests counts."""
PUBLISHED = {"reduced": 16, "hidden": 128, "taps": 32, "layers": 4, "labels": 7}


@pytest.fixture(scope="module")
def integer() -> IntegerModule:
    return tvm_embbert.quantize_model(tvm_embbert.load_model("snips"))


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    results: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return results


def macs_by_hand(n: int) -> int:
    """Count the published configuration's products; the last layer computes row 0 alone."""
    hidden, reduced, taps = (PUBLISHED[k] for k in ("hidden", "reduced", "taps"))
    embedding = n * 2 * reduced * hidden

    def layer(rows: int) -> int:
        convolution = sum(min(row + 1, taps) for row in range(rows)) * hidden
        return rows * hidden * hidden + 2 * rows * n * hidden + convolution + rows * 2 * hidden**2

    classifier = PUBLISHED["labels"] * hidden
    return embedding + (PUBLISHED["layers"] - 1) * layer(n) + layer(1) + classifier


@pytest.mark.parametrize("length", [1, 5, 31, 64, 256])
def test_multiply_accumulates_are_those_of_the_model(integer: IntegerModule, length: int) -> None:
    steps = lower(integer, "host").program.steps
    assert sum(multiply_accumulates(s, length) for s in steps) == macs_by_hand(length)


def test_regression_is_a_rise_beyond_the_tolerance() -> None:
    def counts(instructions: int) -> dict[str, Any]:
        return {"board": {"lengths": {"12": {"instructions": instructions}}}}

    known, limit = counts(1000), int(1000 * (1 + TOLERANCE))
    assert list(regressions(known, counts(limit))) == []
    assert list(regressions(known, counts(500))) == []
    assert list(regressions({}, counts(10**9))) == []
    assert list(regressions(known, counts(limit + 1))) == ["board, 12 tokens: 1,031, was 1,000"]


def test_every_emulated_board_has_committed_figures(committed: dict[str, Any]) -> None:
    assert sorted(committed) == emulated_boards()
    for result in committed.values():
        assert set(result["lengths"]) == {"12", "32", "64", "128", "256"}
        for length, counts in result["lengths"].items():
            assert counts["macs"] == macs_by_hand(int(length))
            parts = sum(o["instructions"] for o in counts["operators"].values())
            assert 0.98 < parts / counts["instructions"] <= 1.0


@pytest.mark.emulator
@pytest.mark.parametrize("board", emulated_boards())
def test_inference_takes_no_more_than_was_committed(
    integer: IntegerModule, committed: dict[str, Any], board: str, tmp_path: Path
) -> None:
    model = tvm_embbert.load_model("snips")
    lowered = tvm_embbert.lower_model(model, integer, board)
    compiled = tvm_embbert.build(lowered, tmp_path / "out", measure=False)
    found = totals(compiled, [QUICK], lowered.interface.vocabulary)[str(QUICK)]
    before = committed[board]["lengths"][str(QUICK)]["instructions"]
    assert found <= before * (1 + TOLERANCE), "see `make bench`"
