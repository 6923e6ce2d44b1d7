"""The intrinsics for RV32 with vectors on an emulated core: each against its meaning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from random_cases import Rng, multipliers, pick, values
from rvv_intrinsic_bench import IntrinsicBench

from tvm_embbert.strategy.kernels.rv32_zve32x.dot import dot
from tvm_embbert.strategy.kernels.rv32_zve32x.requantization import requantize_row
from tvm_embbert.target_file import load_target

pytestmark = pytest.mark.emulator

WIDTHS = (1, 2, 3, 15, 16, 31, 32, 33, 63, 64, 65, 96, 127, 128)
COUNTS = (1, 2, 3, 4, 5, 8, 31)


@pytest.fixture
def bench() -> IntrinsicBench:
    return IntrinsicBench(load_target("virt-rv32v"))


def words(rng: Rng, *shape: int) -> np.ndarray:
    return rng.integers(-(2**31), 2**31, shape).astype(np.int32)


@pytest.mark.parametrize("started", [False, True])
def test_dot_products(bench: IntrinsicBench, tmp_path: Path, started: bool) -> None:
    rng = np.random.default_rng(1)
    for width in WIDTHS:
        for columns in COUNTS:
            x, w = values(rng, (width,), "int8"), values(rng, (columns, width), "int8")
            start = [words(rng, columns) >> 4] if started else []
            for lowest in (False, True):
                seen = w if lowest else np.maximum(w, -127)
                arrays = [x, seen, *start, np.zeros(columns, np.int32)]
                bench.add_intrinsic(dot(width, started, lowest), arrays, {"columns": columns})
    assert bench.failures(tmp_path) == []


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_requantisation_of_a_row(bench: IntrinsicBench, tmp_path: Path, dtype: str) -> None:
    rng = np.random.default_rng(2)
    for columns in (*WIDTHS, 129, 300):
        shift = pick(rng, (0, 1, 5, 16))
        scale = multipliers(rng, columns, 2**31 >> shift, shift, dtype)
        arrays = [words(rng, columns) >> shift, scale, np.zeros(columns, dtype)]
        bench.add_intrinsic(requantize_row(shift, dtype), arrays, {"columns": columns})
    assert bench.failures(tmp_path) == []
