"""The kernels for RV32 with vectors on an emulated core: against the references, byte for byte."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import random_cases
from emulated_bench import EmulatedBench
from vector_cases import add_cases, forms_of

from tvm_embbert.strategy import registry
from tvm_embbert.target_file import load_target

pytestmark = pytest.mark.emulator

ISA = "rv32-zve32x"
TIMES = int(os.environ.get("EMBBERT_CASES", "1"))
"""How many times as many cases are run; each has its seed."""
ODD = (1, 2, 3, 7, 15, 17, 31, 33, 127, 129)
WHOLE = (1, 2, 5, 8, 16, 32, 48, 64, 96, 112, 128)
FORMS = {"linear": 40, "attention": 36, "causal_convolution": 36, "rms_norm": 12, "lookup": 10}
CASES = 6
OPERATORS = [o for o in FORMS if any(i.isa == ISA for i in registry.implementations(o))]


@pytest.fixture(params=[ODD, WHOLE], ids=["odd", "whole"])
def sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[int, ...]:
    monkeypatch.setattr(random_cases, "SIZES", request.param)
    return request.param


def bench_of(bits: int) -> EmulatedBench:
    """Return a bench on a core with vector registers of so many bits."""
    target = load_target("virt-rv32v")
    emulator = target.core.emulator
    assert emulator is not None
    assert "vlen=128" in emulator.cpu
    longer = replace(emulator, cpu=emulator.cpu.replace("vlen=128", f"vlen={bits}"))
    return EmulatedBench(replace(target, core=replace(target.core, emulator=longer)))


def check(bench: EmulatedBench, operator: str, time: int, folder: Path, knobs: int = 0) -> None:
    numbers = range(time * FORMS[operator], (time + 1) * FORMS[operator])
    taken = 0
    for cases in forms_of(operator, 2, numbers, 2 if knobs else CASES):
        taken += add_cases(bench, ISA, cases, knobs)
    assert bench.failures(folder) == []
    assert taken >= FORMS[operator] * CASES // 6


@pytest.mark.usefixtures("sizes")
@pytest.mark.parametrize("time", range(TIMES))
@pytest.mark.parametrize("operator", OPERATORS)
def test_kernel_gives_the_bytes_of_the_reference(operator: str, time: int, tmp_path: Path) -> None:
    check(bench_of(128), operator, time, tmp_path)


@pytest.mark.usefixtures("sizes")
@pytest.mark.parametrize("bits", [128, 256, 512])
@pytest.mark.parametrize("operator", OPERATORS)
def test_all_values_of_knobs_give_the_same_bytes(operator: str, bits: int, tmp_path: Path) -> None:
    check(bench_of(bits), operator, TIMES, tmp_path, knobs=2)


@pytest.mark.usefixtures("sizes")
@pytest.mark.parametrize("bits", [256, 512])
@pytest.mark.parametrize("operator", OPERATORS)
def test_registers_may_be_longer(operator: str, bits: int, tmp_path: Path) -> None:
    check(bench_of(bits), operator, TIMES, tmp_path)
