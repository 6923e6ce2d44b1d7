"""The intrinsics for MVE on an emulated Cortex-M55: each against its meaning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from intrinsic_bench import IntrinsicBench
from random_cases import Rng, multipliers, pick, values

from tvm_embbert.strategy.kernels.armv8_1_m_mve import dot, linear
from tvm_embbert.strategy.kernels.armv8_1_m_mve.requantization import order, requantize_rows
from tvm_embbert.target_file import load_target

pytestmark = pytest.mark.emulator

BLOCKS = (1, 2, 3, 8)


@pytest.fixture
def bench() -> IntrinsicBench:
    return IntrinsicBench(load_target("mps3-an547"))


def words(rng: Rng, *shape: int) -> np.ndarray:
    return rng.integers(-(2**31), 2**31, shape).astype(np.int32)


def test_packing_of_rows(bench: IntrinsicBench, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for width in (1, 2, 15, 16, 17, 31, 32, 33, 47, 48, 64, 100, 112, 127, 128):
        rows = [values(rng, (width,), "int8") for _ in range(2)]
        packed = np.zeros(2 * dot.padded(width), np.int8)
        bench.add_intrinsic(dot.pack_rows(width), [*rows, packed], {})
    assert bench.failures(tmp_path) == []


def test_dot_products(bench: IntrinsicBench, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    for width in range(16, 129, 16):
        for blocks in BLOCKS:
            x = values(rng, (2 * width,), "int8")
            w = values(rng, (blocks, 4 * width), "int8")
            start, sums = words(rng, blocks, 8) >> 4, np.zeros((blocks, 8), np.int32)
            bench.add_intrinsic(dot.dot(width), [x, w, start, sums], {"blocks": blocks})
    assert bench.failures(tmp_path) == []


def test_biases_of_two_rows(bench: IntrinsicBench, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    for blocks in BLOCKS:
        arrays = [words(rng, blocks * 4), words(rng, blocks * 4), np.zeros(blocks * 8, np.int32)]
        bench.add_intrinsic(linear.pick_biases(), arrays, {"blocks": blocks})
    assert bench.failures(tmp_path) == []


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_requantisation_of_rows(bench: IntrinsicBench, tmp_path: Path, dtype: str) -> None:
    rng = np.random.default_rng(4)
    for columns in (1, 2, 3, 7, 8, 9, 13, 16, 23, 24, 128):
        shift, count = pick(rng, (0, 1, 5, 16)), len(order(columns))
        sums = words(rng, count * 2) >> shift
        scale = multipliers(rng, count, 2**31 >> shift, shift, dtype)
        results = [np.zeros(columns, dtype) for _ in range(2)]
        bench.add_intrinsic(requantize_rows(columns, shift, dtype), [sums, scale, *results], {})
    assert bench.failures(tmp_path) == []
