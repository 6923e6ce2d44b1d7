"""The intrinsics for MVE on an emulated Cortex-M55: each against its meaning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from intrinsic_bench import IntrinsicBench
from random_cases import Rng, multipliers, pick, values

from tvm_embbert.strategy.kernels.armv8_1_m_mve import dot, linear
from tvm_embbert.strategy.kernels.armv8_1_m_mve.contexts import begin, finish, mix, transpose
from tvm_embbert.strategy.kernels.armv8_1_m_mve.convolutions import convolve, window_of
from tvm_embbert.strategy.kernels.armv8_1_m_mve.lookup import look_up
from tvm_embbert.strategy.kernels.armv8_1_m_mve.requantization import order, requantize_rows
from tvm_embbert.strategy.kernels.armv8_1_m_mve.rms_norm import normalize
from tvm_embbert.strategy.kernels.armv8_1_m_mve.scores import score_key, score_quarters
from tvm_embbert.strategy.kernels.armv8_1_m_mve.sixteen import (
    order_bytes,
    transpose_eight,
    weigh_sixteen,
)
from tvm_embbert.strategy.kernels.armv8_1_m_mve.weights import order_mask, weigh
from tvm_embbert.strategy.kernels.armv8_1_m_mve.windows import gather_rows, gather_window
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
    for width in (*range(16, 129, 16), 256):
        for blocks in BLOCKS:
            x = values(rng, (2 * width,), "int8")
            w = values(rng, (blocks, 4 * width), "int8")
            start, sums = words(rng, blocks, 8) >> 4, np.zeros((blocks, 8), np.int32)
            for turning in [False, True] if blocks % 2 == 0 else [False]:
                made = dot.dot(width, turning)
                bench.add_intrinsic(made, [x, w, start, sums], {"blocks": blocks})
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
        for multiple in (False, True):
            made = requantize_rows(columns, shift, dtype, multiple)
            bench.add_intrinsic(made, [sums, scale, *results], {})
    assert bench.failures(tmp_path) == []


@pytest.mark.parametrize("width", [16, 32, 48, 128])
def test_scores_of_quarters(bench: IntrinsicBench, tmp_path: Path, width: int) -> None:
    rng = np.random.default_rng(5)
    for quarter in (1, 2, 3, 33):
        x, k = (values(rng, shape, "int8") for shape in ((2 * width,), (4 * quarter, width)))
        scores = np.zeros(8 * quarter, np.int32)
        for unroll in (1, 2, 4):
            made = score_quarters(width, unroll)
            bench.add_intrinsic(made, [x, k, scores], {"quarter": quarter})
        bench.add_intrinsic(score_key(width), [x, k[0], words(rng, 8)], {})
    assert bench.failures(tmp_path) == []


def test_order_of_the_mask(bench: IntrinsicBench, tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    for quarter in (1, 2, 5, 63):
        arrays = [rng.random(4 * quarter) < 0.5, np.zeros(4 * quarter, np.int8)]
        bench.add_intrinsic(order_mask(), arrays, {"quarter": quarter})
    assert bench.failures(tmp_path) == []


@pytest.mark.parametrize("shift", [0, 1, 4])
def test_weights_of_scores(bench: IntrinsicBench, tmp_path: Path, shift: int) -> None:
    rng = np.random.default_rng(7)
    for groups in (1, 2, 5):
        for hidden in (0.0, 0.5, 1.0):
            scores = rng.integers(-(2**20), 2**20, groups * 64).astype(np.int32)
            mask = (rng.random(groups * 32) < hidden).astype(np.int8)
            table = rng.integers(0, 128, 256).astype(np.int8)
            limit, multiplier = 2 ** (29 - shift), int(rng.integers(2**9, 2**21))
            outputs = [np.zeros(groups * 64, np.int8), np.zeros(2, np.int32)]
            numbers = [77, limit, multiplier] if shift else [77, multiplier]
            arrays = [scores, mask, table, *numbers, *outputs]
            bench.add_intrinsic(weigh(shift), arrays, {"groups": groups})
    assert bench.failures(tmp_path) == []


def test_transposition(bench: IntrinsicBench, tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    for chunks, width in ((1, 16), (2, 32), (5, 128)):
        v = values(rng, (chunks * 20 * width,), "int8")
        places = rng.permutation(20)[:16].astype(np.int16)
        arrays = [v, places, np.zeros(chunks * 64, np.int8)]
        dims = {"chunks": chunks, "length": v.size}
        bench.add_intrinsic(transpose(width), arrays, dims)
    assert bench.failures(tmp_path) == []


def test_weighted_sums(bench: IntrinsicBench, tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    for groups in (1, 2, 3, 8):
        for pairs in (1, 2, 4):
            weights = rng.integers(0, 128, pairs * groups * 64).astype(np.int8)
            seen = values(rng, (groups * 256,), "int8")
            arrays = [weights, seen, words(rng, pairs * 16) >> 4]
            for unroll in (2, 4, 8):
                bench.add_intrinsic(mix(unroll), arrays, {"groups": groups, "pairs": pairs})
    assert bench.failures(tmp_path) == []


@pytest.mark.parametrize("shift", [0, 3])
def test_storing_of_contexts(bench: IntrinsicBench, tmp_path: Path, shift: int) -> None:
    rng = np.random.default_rng(10)
    for pairs in (1, 2, 4):
        for step in (8, 16, 128):
            sums = words(rng, pairs * 16) >> shift
            scales = (words(rng, pairs * 4) >> 18) & 0x3FFF
            arrays = [sums, scales, np.zeros((pairs * 2, step), np.int8)]
            for multiple in (False, True):
                made = finish(shift, multiple)
                bench.add_intrinsic(made, arrays, {"step": step, "pairs": pairs})
            bench.add_intrinsic(begin(), [scales, sums], {"pairs": pairs})
    assert bench.failures(tmp_path) == []


def test_order_of_the_mask_by_bytes(bench: IntrinsicBench, tmp_path: Path) -> None:
    rng = np.random.default_rng(15)
    for quarter in (4, 5, 11, 63):
        chunks = quarter // 4
        arrays = [rng.random(4 * quarter) < 0.5, np.zeros(16 * chunks, np.int8)]
        bench.add_intrinsic(order_bytes(), arrays, {"quarter": quarter, "chunks": chunks})
    assert bench.failures(tmp_path) == []


def test_sixteen_weights_at_once(bench: IntrinsicBench, tmp_path: Path) -> None:
    rng = np.random.default_rng(16)
    for groups in (1, 2, 5):
        for hidden in (0.0, 0.02, 0.5, 1.0):
            scores = rng.integers(-(2**20), 2**20, groups * 64).astype(np.int32)
            mask = (rng.random(groups * 32) < hidden).astype(np.int8)
            table = rng.integers(0, 128, 256).astype(np.int8)
            outputs = [np.zeros(groups * 64, np.int8), np.zeros(2, np.int32)]
            arrays = [scores, mask, table, 77, int(rng.integers(2**9, 2**21)), *outputs]
            bench.add_intrinsic(weigh_sixteen(), arrays, {"groups": groups})
    assert bench.failures(tmp_path) == []


def test_transposition_of_eight_channels(bench: IntrinsicBench, tmp_path: Path) -> None:
    rng = np.random.default_rng(17)
    for quarter, width in ((4, 16), (9, 32), (20, 128)):
        v, chunks = values(rng, (4 * quarter * width,), "int8"), quarter // 4
        arrays = [v, *(np.zeros(chunks * 64, np.int8) for _ in range(2))]
        dims = {"quarter": quarter, "chunks": chunks, "length": v.size}
        bench.add_intrinsic(transpose_eight(width), arrays, dims)
    assert bench.failures(tmp_path) == []


def test_windows_of_rows_that_follow(bench: IntrinsicBench, tmp_path: Path) -> None:
    rng = np.random.default_rng(18)
    for window, groups, step in ((32, 1, 4), (48, 2, 12), (48, 4, 128)):
        x = values(rng, (window * step,), "int8")
        arrays = [x, np.zeros(4 * groups * window, np.int8)]
        made = gather_rows(window, groups, step)
        bench.add_intrinsic(made, arrays, {"length": x.size})
    assert bench.failures(tmp_path) == []


@pytest.mark.parametrize("window", [32, 48])
def test_windows(bench: IntrinsicBench, tmp_path: Path, window: int) -> None:
    rng = np.random.default_rng(11)
    for missing in (0, 1, 20, window):
        x = values(rng, (window * 8,), "int8")
        places = (np.arange(window) * 8).astype(np.int32)
        places[:missing] = -1
        for groups in (1, 2):
            arrays = [x, places, np.zeros(4 * groups * window, np.int8)]
            made = gather_window(window, groups)
            bench.add_intrinsic(made, arrays, {"length": x.size})
    assert bench.failures(tmp_path) == []


@pytest.mark.parametrize("shift", [0, 4])
def test_convolution_of_windows(bench: IntrinsicBench, tmp_path: Path, shift: int) -> None:
    rng = np.random.default_rng(12)
    for reach, most, channels, stored in (
        (16, 4, 4, True),
        (16, 8, 4, False),
        (32, 8, 8, True),
        (32, 12, 4, False),
        (16, 12, 8, True),
        (32, 16, 4, True),
        (32, 16, 8, False),
    ):
        for rows in range(1, most + 1):
            shape = (channels, window_of(reach, most))
            x, weight = values(rng, shape, "int8"), values(rng, (channels, reach), "int8")
            largest = reach * 128 * 128
            factors = multipliers(rng, channels, largest, shift, "int8")
            scale = np.stack([words(rng, channels) >> 12, factors])
            result = np.zeros((rows, 12), np.int8)
            arrays = [x, weight, np.ascontiguousarray(scale.T), result]
            made = convolve(reach, shift, most, channels, stored)
            bench.add_intrinsic(made, arrays, {"rows": rows, "step": 12})
    assert bench.failures(tmp_path) == []


def test_table(bench: IntrinsicBench, tmp_path: Path) -> None:
    rng = np.random.default_rng(13)
    for count in (1, 2, 15, 16, 17, 255, 1024):
        x, table = values(rng, (count,), "int8"), values(rng, (256,), "int8")
        arrays = [x, table, np.zeros(count, np.int8)]
        bench.add_intrinsic(look_up(), arrays, {"count": count})
    for vectors in (2, 4):
        for loads in (0, 1, 2, 7):
            count = 16 * vectors * loads
            x, table = values(rng, (max(1, count),), "int8"), values(rng, (256,), "int8")
            arrays = [x, table, np.zeros(max(1, count), np.int8)]
            bench.add_intrinsic(look_up(vectors), arrays, {"count": count})
    assert bench.failures(tmp_path) == []


def test_norm_of_a_row(bench: IntrinsicBench, tmp_path: Path) -> None:
    rng = np.random.default_rng(14)
    for channels in (1, 2, 3, 7, 8, 9, 31, 128):
        for down in (0, 3, 9, 15):
            x = values(rng, (channels,), "int16") >> down
            epsilon = int(2 ** rng.uniform(0, 40))
            gain, shift = int(rng.integers(2**14, 2**15)), int(rng.integers(1, 11))
            arrays = [x, epsilon, gain, shift, np.zeros(channels, np.int8)]
            for vectors in (1, *(n for n in (2, 4, 8) if channels % (8 * n) == 0)):
                bench.add_intrinsic(normalize(channels, vectors), arrays, {})
    assert bench.failures(tmp_path) == []
