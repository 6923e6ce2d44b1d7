"""The kernels for MVE on an emulated Cortex-M55: against the references, byte for byte."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import random_cases
from emulated_bench import EmulatedBench
from vector_cases import add_cases, forms_of

from tvm_embbert.strategy import registry
from tvm_embbert.target_file import load_target

pytestmark = pytest.mark.emulator

ISA = "armv8.1-m-mve"
TIMES = int(os.environ.get("EMBBERT_CASES", "1"))
"""How many times as many cases are run; each has its seed."""
ODD = (1, 2, 3, 7, 15, 17, 31, 33, 127, 129)
WHOLE = (16, 32, 48, 64, 96, 112, 128)
MIXED = (1, 2, 3, 5, 16, 16, 17, 48, 48, 63, 64, 128, 128, 129)
"""Sizes that fill no vectors, those that do, and both together."""
FORMS = {"linear": 24, "attention": 18, "causal_convolution": 16, "rms_norm": 12, "lookup": 8}
CASES = 5
OPERATORS = [o for o in FORMS if any(i.isa == ISA for i in registry.implementations(o))]


@pytest.fixture(params=[ODD, WHOLE, MIXED], ids=["odd", "whole", "mixed"])
def sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[int, ...]:
    monkeypatch.setattr(random_cases, "SIZES", request.param)
    return request.param


def check(operator: str, time: int, folder: Path, knobs: int = 0) -> int:
    """Run the cases that the kernels take; returns how many."""
    bench = EmulatedBench(load_target("mps3-an547"))
    numbers = range(time * FORMS[operator], (time + 1) * FORMS[operator])
    taken = 0
    for cases in forms_of(operator, 1, numbers, 2 if knobs else CASES):
        taken += add_cases(bench, ISA, cases, knobs)
    if taken:
        assert bench.failures(folder) == []
    return taken


@pytest.mark.parametrize("time", range(TIMES))
@pytest.mark.parametrize("operator", OPERATORS)
def test_kernel_gives_the_bytes_of_the_reference(
    operator: str, time: int, sizes: tuple[int, ...], tmp_path: Path
) -> None:
    taken = check(operator, time, tmp_path)
    if sizes is WHOLE:
        assert taken >= FORMS[operator] * CASES // 4


@pytest.mark.parametrize("time", range(TIMES))
@pytest.mark.parametrize("operator", OPERATORS)
def test_all_values_of_knobs_give_the_same_bytes(
    operator: str, time: int, sizes: tuple[int, ...], tmp_path: Path
) -> None:
    taken = check(operator, time, tmp_path, knobs=3)
    if sizes is WHOLE:
        assert taken >= FORMS[operator] * CASES // 4
