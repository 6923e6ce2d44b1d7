"""The intrinsics for RV32 with vectors on an emulated core: each against its meaning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from intrinsic_bench import IntrinsicBench
from random_cases import Rng, multipliers, pick, values

from tvm_embbert.strategy.kernels.rv32_zve32x.bounded import mix_bounded
from tvm_embbert.strategy.kernels.rv32_zve32x.causal_convolution import convolve
from tvm_embbert.strategy.kernels.rv32_zve32x.contexts import mix
from tvm_embbert.strategy.kernels.rv32_zve32x.dot import dot
from tvm_embbert.strategy.kernels.rv32_zve32x.lookup import look_up
from tvm_embbert.strategy.kernels.rv32_zve32x.outputs import multiply, pack_outputs
from tvm_embbert.strategy.kernels.rv32_zve32x.requantization import requantize_row
from tvm_embbert.strategy.kernels.rv32_zve32x.rms_norm import normalize
from tvm_embbert.strategy.kernels.rv32_zve32x.segments import dot_segments
from tvm_embbert.strategy.kernels.rv32_zve32x.weights import weigh
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


@pytest.mark.parametrize("shift", [0, 1, 4])
@pytest.mark.parametrize("masked", [False, True])
def test_weights_of_scores(bench: IntrinsicBench, tmp_path: Path, shift: int, masked: bool) -> None:
    rng = np.random.default_rng(3)
    for keys in (*WIDTHS, 129, 300):
        for density in (0.0, 0.5, 1.0)[: 3 if masked else 1]:
            scores = rng.integers(-(2**20), 2**20, keys).astype(np.int32)
            mask = [rng.random(keys) < density] if masked else []
            table = rng.integers(0, 128, 256).astype(np.int8)
            multiplier = int(rng.integers(2**9, 2**21))
            numbers = [77, *[2 ** (29 - shift)] * (shift > 0), multiplier]
            outputs = [np.zeros(keys, np.int8), np.zeros(1, np.int32)]
            arrays = [scores, *mask, table, *numbers, *outputs]
            bench.add_intrinsic(weigh(shift, masked), arrays, {"keys": keys})
    assert bench.failures(tmp_path) == []


@pytest.mark.parametrize("shift", [0, 3])
def test_contexts(bench: IntrinsicBench, tmp_path: Path, shift: int) -> None:
    rng = np.random.default_rng(4)
    for width in (*WIDTHS, 200):
        for keys in (1, 2, 3, 4, 5, 7, 8, 33):
            weights = rng.choice(np.array([0, 1, 100, 127], np.int8), keys)
            v, inverse = values(rng, (keys, width), "int8"), int(rng.integers(2**18, 2**26))
            arrays = [weights, v, inverse >> shift, 900, np.zeros(width, np.int8)]
            for unroll in (2, 8):
                bench.add_intrinsic(mix(width, shift, unroll), arrays, {"keys": keys})
    assert bench.failures(tmp_path) == []


@pytest.mark.parametrize("sparse", [False, True])
def test_contexts_of_small_weights(bench: IntrinsicBench, tmp_path: Path, sparse: bool) -> None:
    rng = np.random.default_rng(8)
    for width in (2, 32, 64, 66, 96, 128):
        for keys in (1, 2, 3, 7, 8, 33):
            largest, shift, unroll = (pick(rng, n) for n in ((3, 30, 127), (0, 3), (2, 4)))
            weights = rng.integers(0, largest + 1, keys).astype(np.int8)
            v, inverse = values(rng, (keys, width), "int8"), int(rng.integers(2**18, 2**26))
            outputs = [np.zeros(width, np.int8), np.zeros(width, np.int32)]
            made = mix_bounded(width, shift, sparse, unroll)
            arrays = [weights, v, inverse >> shift, 900, *outputs]
            bench.add_intrinsic(made, arrays, {"keys": keys})
    assert bench.failures(tmp_path) == []


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("lowest", ["absent", "offset", "checked"])
def test_dot_products_by_segments(
    bench: IntrinsicBench, tmp_path: Path, started: bool, lowest: str
) -> None:
    rng = np.random.default_rng(9)
    for width in (2, 16, 30, 64, 66, 96, 128):
        for columns in (1, 7, 8, 9, 31):
            x, w = values(rng, (width,), "int8"), values(rng, (columns, width), "int8")
            start = [words(rng, columns) >> 4] if started else []
            seen = np.maximum(w, -127) if lowest == "absent" else w
            arrays = [x, seen, *start, np.zeros(columns, np.int32)]
            made = dot_segments(width, started, lowest)
            bench.add_intrinsic(made, arrays, {"columns": columns})
    assert bench.failures(tmp_path) == []


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_rows_times_weights(bench: IntrinsicBench, tmp_path: Path, dtype: str) -> None:
    rng = np.random.default_rng(10)
    for widths in ((1,), (2, 3), (16, 16), (33, 2, 8), (128,)):
        for outputs in (1, 3, 33, 64, 65, 128):
            shift, unroll = pick(rng, (0, 0, 2)), pick(rng, (1, 2, 8))
            weight = np.maximum(values(rng, (outputs, sum(widths)), "int8"), -127)
            scale = multipliers(rng, outputs, sum(widths) << 14, shift, dtype)
            rows = [values(rng, (n,), "int8") for n in widths]
            start = words(rng, outputs) >> 8
            arrays = [*rows, pack_outputs(weight, widths), start, scale, np.zeros(outputs, dtype)]
            bench.add_intrinsic(multiply(widths, outputs, shift, dtype, unroll), arrays, {})
    assert bench.failures(tmp_path) == []


@pytest.mark.parametrize("paired", [False, True])
def test_convolution_of_a_row(bench: IntrinsicBench, tmp_path: Path, paired: bool) -> None:
    rng = np.random.default_rng(5)
    for channels in (*WIDTHS, 200):
        for taps in (1, 2, 3, 4, 7, 32):
            shift = pick(rng, (0, 0, 3))
            x, w = (values(rng, (taps, channels), "int8") for _ in range(2))
            scale = multipliers(rng, channels, taps << 14, shift, "int8")
            seen = np.maximum(w, -127) if paired else w
            arrays = [x, seen, words(rng, channels) >> 12, scale, np.zeros(channels, np.int8)]
            bench.add_intrinsic(convolve(channels, shift, paired), arrays, {"taps": taps})
    assert bench.failures(tmp_path) == []


def test_entries_of_a_table(bench: IntrinsicBench, tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    for size in (*WIDTHS, 129, 1000):
        arrays = [values(rng, (n,), "int8") for n in (size, 256)]
        bench.add_intrinsic(look_up(), [*arrays, np.zeros(size, np.int8)], {"size": size})
    assert bench.failures(tmp_path) == []


def test_norm_of_a_row(bench: IntrinsicBench, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    for channels in (*WIDTHS, 129, 1000):
        for size in (0, 1, 20, 31, 32, 40):
            x = values(rng, (channels,), "int16") >> pick(rng, (0, 8, 15))
            gain, shift = pick(rng, (2**14, 2**15 - 1)), pick(rng, (1, 10))
            arrays = [x, 2**size, gain, shift, np.zeros(channels, np.int8)]
            bench.add_intrinsic(normalize(), arrays, {"channels": channels})
    assert bench.failures(tmp_path) == []
