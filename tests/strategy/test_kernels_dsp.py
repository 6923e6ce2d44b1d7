"""Kernels and intrinsics of the DSP extension on an emulated Cortex-M4, byte for byte.

``EMBBERT_CASES=N`` takes N times as many cases.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from dsp_cases import DSP_CASES
from dsp_intrinsics import INTRINSICS
from emulated_bench import EmulatedBench

from tvm_embbert.strategy import registry
from tvm_embbert.strategy.knobs import Value
from tvm_embbert.target_file import load_target

pytestmark = pytest.mark.emulator

BOARD, ISA = "mps2-an386", "armv7e-m-dsp"
TIMES = int(os.environ.get("EMBBERT_CASES", "1"))


@pytest.mark.parametrize("operator", DSP_CASES)
@pytest.mark.parametrize("part", range(TIMES))
def test_kernel_gives_the_bytes_of_the_reference(operator: str, part: int, tmp_path: Path):
    bench = EmulatedBench(load_target(BOARD))
    implementation = next(i for i in registry.implementations(operator) if i.isa == ISA)
    generate, least = DSP_CASES[operator]
    taken = 0
    for case in generate(part):
        if not implementation.reject(case.call):
            bench.add(implementation, case)
            taken += 1
    assert taken >= least
    assert bench.failures(tmp_path) == []


@pytest.mark.parametrize("operator", DSP_CASES)
@pytest.mark.parametrize("part", range(2 * TIMES))
def test_every_value_of_a_knob_gives_the_bytes_of_the_reference(
    operator: str, part: int, tmp_path: Path
):
    """Draw values of all knobs for each form, the seed stored with its cases."""
    bench = EmulatedBench(load_target(BOARD))
    implementation = next(i for i in registry.implementations(operator) if i.isa == ISA)
    generate, least = DSP_CASES[operator]
    taken = 0
    # Parts of their own, so that calls differ from those of the default kernels.
    for form, cases in groupby(
        generate(1000 + part), key=lambda case: case.label.rpartition(",")[0]
    ):
        rng = np.random.default_rng(zlib.crc32(form.encode()))
        chosen: dict[str, Value] = {}
        for case in cases:
            knobs = implementation.knobs(case.call)
            chosen = chosen or {k.name: k.values[rng.integers(len(k.values))] for k in knobs}
            if not implementation.reject(case.call):
                bench.add(implementation, case, chosen)
                taken += 1
    assert taken >= least
    assert bench.failures(tmp_path) == []


@pytest.mark.parametrize("name", INTRINSICS)
@pytest.mark.parametrize("part", range(TIMES))
def test_intrinsic_is_what_its_meaning_says(name: str, part: int, tmp_path: Path):
    bench = EmulatedBench(load_target(BOARD))
    generate, draws = INTRINSICS[name]
    for draw in range(draws):
        seed = [zlib.crc32(name.encode()), part, draw]
        for intrinsic, arrays, dims in generate(np.random.default_rng(seed)):
            bench.add_intrinsic(intrinsic, arrays, dims)
    assert bench.failures(tmp_path) == []


def test_a_wrong_intrinsic_is_found(tmp_path: Path):
    """Guard against a comparison that sees nothing."""
    bench = EmulatedBench(load_target(BOARD))
    generate, _ = INTRINSICS["widen"]
    intrinsic, arrays, _ = next(iter(generate(np.random.default_rng(0))))
    wrong = replace(intrinsic, c=intrinsic.c.replace("ror #8", "ror #16"))
    arrays[0] = np.arange(8, dtype=np.int8)[None]
    arrays[1] = np.zeros((2, 2, 4, 2), np.int16)
    bench.add_intrinsic(wrong, arrays, {"rows": 1, "width": 8})
    assert bench.failures(tmp_path) != []
