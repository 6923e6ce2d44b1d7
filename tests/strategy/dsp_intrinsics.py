"""Random calls of the intrinsics of the DSP extension, to be compared with their meanings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from random_cases import INT32_MAX, Rng, pick, values

from tvm_embbert.quantize import arithmetic
from tvm_embbert.strategy.attention import distance_limit
from tvm_embbert.strategy.kernels.armv7e_m_dsp.context import context
from tvm_embbert.strategy.kernels.armv7e_m_dsp.context_block import BlockContextForm, block_context
from tvm_embbert.strategy.kernels.armv7e_m_dsp.lookup import lookup_words
from tvm_embbert.strategy.kernels.armv7e_m_dsp.matrix import (
    UNROLLED,
    MatrixForm,
    interleave,
    matrix,
)
from tvm_embbert.strategy.kernels.armv7e_m_dsp.matrix_block import WORDS as BLOCK_WORDS
from tvm_embbert.strategy.kernels.armv7e_m_dsp.matrix_block import BlockForm, matrix_block
from tvm_embbert.strategy.kernels.armv7e_m_dsp.rms_norm import FEW, MANY, normalize
from tvm_embbert.strategy.kernels.armv7e_m_dsp.scores import ScoresForm, scores
from tvm_embbert.strategy.kernels.armv7e_m_dsp.scores_block import WORDS as KEY_WORDS
from tvm_embbert.strategy.kernels.armv7e_m_dsp.scores_block import BlockScoresForm, block_scores
from tvm_embbert.strategy.kernels.armv7e_m_dsp.taps import neighbours, pairs_of, taps
from tvm_embbert.strategy.kernels.armv7e_m_dsp.weights import weights
from tvm_embbert.strategy.kernels.armv7e_m_dsp.weights_block import block_weights
from tvm_embbert.strategy.kernels.armv7e_m_dsp.widen import groups_of, widen
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic

Call = tuple[Intrinsic, list[Any], dict[str, int]]


def _widen(rng: Rng) -> Iterator[Call]:
    for dtype in ("int8", "int16"):
        rows, width = pick(rng, (1, 2, 3, 4)), pick(rng, (1, 2, 3, 4, 7, 8, 15, 16, 33, 128))
        wide = values(rng, (groups_of(width), 2, 4, 2), "int16")
        x = values(rng, (rows, width), dtype)
        yield widen(dtype), [x, wide], {"rows": rows, "width": width}


def _matrix(rng: Rng) -> Iterator[Call]:
    for form in (
        MatrixForm("int8", True, False),
        MatrixForm("int16", False, False),
        MatrixForm("int16", True, True),
        MatrixForm("int8", False, True),
    ):
        rows, outputs = pick(rng, (1, 2, 3, 4)), pick(rng, (1, 2, 3, 7, 8))
        pairs, even = UNROLLED * pick(rng, (1, 2, 5)), outputs + outputs % 2
        wide = values(rng, (pairs, 4, 2), "int8").astype(np.int16)
        wide[:, rows:] = wide[:, rows - 1 : rows]
        weight = np.maximum(values(rng, (even, 2 * pairs), "int8"), -127 if form.split else -128)
        indices = 3 if form.indexed else 1
        bias = rng.integers(-(2**20), 2**20, (indices, even)).astype(np.int32)
        multiplier = rng.integers(0, INT32_MAX >> pick(rng, (0, 8)), even).astype(np.int32)
        arrays = [interleave(weight, form.split), bias, multiplier, pick(rng, (0, 1, 4))]
        index = [rng.integers(0, indices, rows).astype(np.int32)] if form.indexed else []
        result = values(rng, (rows, outputs), form.dtype)
        dims = {"pairs": pairs, "outputs": outputs, "rows": rows, "indices": indices}
        yield matrix(form), [wide, *index, *arrays, result], dims


def _scores(rng: Rng) -> Iterator[Call]:
    form = ScoresForm(pick(rng, (4, 8, 32, 128, 508)), bool(rng.integers(2)))
    keys = pick(rng, (1, 2, 3, 7, 32, 33))
    wide = values(rng, (form.width // 4, 2, 4, 2), "int8").astype(np.int16)
    hidden = [rng.random(keys) < rng.choice([0.0, 0.5, 1.0])] if form.masked else []
    arrays = [wide, values(rng, (keys, form.width), "int8"), *hidden, *_score_places(rng, keys)]
    yield scores(form), [*arrays, np.zeros(4, np.int32)], {"keys": keys}


def _score_places(rng: Rng, keys: int) -> list[Any]:
    """Return memory for the scores; one byte at least, which is not touched."""
    low = values(rng, (max(1, keys // 2), 4, 2), "int16")
    high = values(rng, (max(1, keys // 2), 2, 2, 2), "int8")
    return [low, high, rng.integers(-(2**22), 2**22, 4).astype(np.int32)]


def _weights(rng: Rng) -> Iterator[Call]:
    for shift in (0, pick(rng, (1, 2, 6))):
        keys = pick(rng, (1, 2, 3, 7, 32, 33))
        places = _score_places(rng, keys)
        tops = np.full(4, 2**23, np.int32)
        table = rng.integers(0, 128, 256).astype(np.int8)
        multiplier = int(rng.integers(2**30, INT32_MAX)) >> (0 if shift else pick(rng, (2, 10, 19)))
        scaling = [distance_limit(multiplier, shift), multiplier, shift]
        found = [np.zeros((max(1, keys // 2), 4, 2), np.int16), np.zeros(4, np.int32)]
        yield weights(shift > 0), [*places, tops, table, *scaling, *found], {"keys": keys}


def _context(rng: Rng) -> Iterator[Call]:
    width, keys = pick(rng, (4, 8, 20, 128, 260)), pick(rng, (1, 2, 3, 15, 16, 33, 64))
    rows = pick(rng, (1, 2, 3, 4))
    pairs = rng.integers(0, 128, (max(1, keys // 2), 4, 2)).astype(np.int16)
    last = rng.integers(0, 128, 4).astype(np.int32)
    totals = pairs[: keys // 2].sum(axis=(0, 2), dtype=np.int32) + (keys % 2) * last
    for a in (last, totals):
        a[rows:] = a[rows - 1]
    pairs[:, rows:] = pairs[:, rows - 1 : rows]
    ratio = arithmetic.reciprocal(2.0 ** rng.uniform(-6, 3))
    scaling = [totals, ratio.numerator, ratio.shift]
    result = values(rng, (rows, width), "int8")
    arrays = [pairs, last, values(rng, (keys, width), "int8"), *scaling, result]
    yield context(width), arrays, {"keys": keys, "rows": rows}


def _neighbours(rng: Rng) -> Iterator[Call]:
    number, rows, channels = pick(rng, (8, 16, 32)), pick(rng, (1, 2, 5, 16, 19)), pick(rng, (2, 8))
    first = 16 * int(rng.integers(0, 1 + (rows - 1) // 16))
    before = pick(rng, (0, 1, 6, 30, 31))
    x = values(rng, (before + rows, channels), "int8")
    channel = 2 * int(rng.integers(channels // 2))
    arrays = [x, first, channel, np.zeros((pairs_of(number), 2, 2), np.int16)]
    yield (
        neighbours(),
        arrays,
        {"taps": number, "before": before, "rows": rows, "channels": channels},
    )


def _taps(rng: Rng) -> Iterator[Call]:
    number, rows, channels = pick(rng, (8, 16, 32)), pick(rng, (1, 2, 5, 8, 16)), pick(rng, (2, 8))
    pairs = values(rng, (pairs_of(number), 2, 2), "int8").astype(np.int16)
    weight = values(rng, (number // 2, 2, 2), "int8")
    bias = rng.integers(-(2**19), 2**19, 2).astype(np.int32)
    multiplier = rng.integers(0, INT32_MAX >> pick(rng, (0, 8)), 2).astype(np.int32)
    arrays = [pairs, weight, bias, multiplier, pick(rng, (0, 1, 4))]
    result = values(rng, (rows, channels), "int8")
    yield taps(), [*arrays, result], {"taps": number, "rows": rows, "channels": channels}


def _normalize(rng: Rng) -> Iterator[Call]:
    rows, channels = pick(rng, (1, 3)), pick(rng, (1, 2, 7, 8, 15, 64, 129))
    x = values(rng, (rows, channels), "int16") >> pick(rng, (0, 3, 14))
    scaling = [int(2 ** rng.uniform(0, 40)), int(rng.integers(2**14, 2**15)), pick(rng, (1, 5, 10))]
    result = values(rng, (rows, channels), "int8")
    for words in (FEW,) if channels % 2 else (FEW, MANY):
        yield normalize(words), [x, *scaling, result], {"rows": rows, "channels": channels}


def _matrix_block(rng: Rng) -> Iterator[Call]:
    rows, split, indexed = pick(rng, (1, 2, 3, 4)), bool(rng.integers(2)), bool(rng.integers(2))
    unroll, outputs, shift = pick(rng, (4, 5, 12)), pick(rng, (1, 2, 7)), pick(rng, (0, 1, 4))
    pairs, even = unroll * pick(rng, (1, 3)), outputs + outputs % 2
    matrix_form = MatrixForm(str(rng.choice(["int8", "int16"])), split, indexed)
    words = pick(rng, BLOCK_WORDS[rows])
    form = BlockForm(matrix_form, rows, words, unroll, pairs, outputs, shift)
    count, indices = pick(rng, range(1, rows + 1)), 3 if indexed else 1
    wide = values(rng, (pairs, rows, 2), "int8").astype(np.int16)
    wide[:, count:] = wide[:, count - 1 : count]
    weight = np.maximum(values(rng, (even, 2 * pairs), "int8"), -127 if split else -128)
    bias = rng.integers(-(2**20), 2**20, (indices, even)).astype(np.int32)
    multiplier = rng.integers(0, INT32_MAX >> pick(rng, (0, 8)), even).astype(np.int32)
    index = [rng.integers(0, indices, count).astype(np.int32)] if indexed else []
    arrays = [wide, *index, interleave(weight, split), bias, multiplier, shift]
    result = values(rng, (count, outputs), matrix_form.dtype)
    dims = {"pairs": pairs, "outputs": outputs, "rows": count, "indices": indices}
    yield matrix_block(form), [*arrays, result], dims


def _block_scores(rng: Rng) -> Iterator[Call]:
    rows, width, keys = pick(rng, range(1, 9)), pick(rng, (8, 32, 128)), pick(rng, (1, 2, 7, 33))
    words, groups = pick(rng, KEY_WORDS[rows]), pick(rng, (1, 2, width // 4))
    form = BlockScoresForm(width, bool(rng.integers(2)), rows, words, groups)
    wide = values(rng, (width // 4, 2, rows, 2), "int8").astype(np.int16)
    hidden = [rng.random(keys) < rng.choice([0.0, 0.5, 1.0])] if form.masked else []
    arrays = [wide, values(rng, (keys, width), "int8"), *hidden]
    yield block_scores(form), [*arrays, np.zeros((keys, rows, 2), np.int16)], {"keys": keys}


def _block_weights(rng: Rng) -> Iterator[Call]:
    rows, keys, shift = pick(rng, range(1, 9)), pick(rng, (1, 2, 3, 9, 33)), pick(rng, (0, 1, 6))
    scores = rng.integers(-(2**21), 2**21, (keys, rows)).astype(np.int32)
    scores[rng.random(keys) < rng.choice([0.0, 0.5, 1.0])] = -(2**23)
    multiplier = int(rng.integers(2**30, INT32_MAX)) >> (0 if shift else pick(rng, (2, 6, 10)))
    scaling = [distance_limit(multiplier, shift), multiplier, shift]
    table = rng.integers(0, 128, 256).astype(np.int8)
    found = [np.zeros((max(1, keys // 2), rows, 2), np.int16)]
    found += [np.zeros(rows, np.int32), np.zeros(rows, np.int32)]
    arrays = [scores.view(np.int16).reshape(keys, rows, 2), table, *scaling, *found]
    yield block_weights(rows, shift > 0, pick(rng, (1, 2, 4))), arrays, {"keys": keys}


def _block_context(rng: Rng) -> Iterator[Call]:
    form = BlockContextForm(pick(rng, (4, 20, 260)), pick(rng, range(1, 9)), pick(rng, (4, 8)))
    keys, rows = pick(rng, (1, 2, 3, 16, 33)), pick(rng, range(1, form.rows + 1))
    pairs = rng.integers(0, 128, (max(1, keys // 2), form.rows, 2)).astype(np.int16)
    last = rng.integers(0, 128, form.rows).astype(np.int32)
    pairs[:, rows:], last[rows:] = pairs[:, rows - 1 : rows], last[rows - 1]
    totals = pairs[: keys // 2].sum(axis=(0, 2), dtype=np.int32) + (keys % 2) * last
    ratio = arithmetic.reciprocal(2.0 ** rng.uniform(-6, 3))
    scaling = [totals, ratio.numerator, ratio.shift]
    result = values(rng, (rows, form.width), "int8")
    arrays = [pairs, last, values(rng, (keys, form.width), "int8"), *scaling, result]
    yield block_context(form), arrays, {"keys": keys, "rows": rows}


def _lookup(rng: Rng) -> Iterator[Call]:
    words = pick(rng, (1, 3, 8, 17))
    x, table = values(rng, (words, 4), "int8"), values(rng, (256,), "int8")
    arrays = [x, table, np.zeros((words, 4), np.int8)]
    yield lookup_words(pick(rng, (1, 2, 4, 8))), arrays, {"words": words}


INTRINSICS: dict[str, tuple[Callable[[Rng], Iterator[Call]], int]] = {
    "widen": (_widen, 20),
    "matrix": (_matrix, 15),
    "scores": (_scores, 40),
    "weights": (_weights, 30),
    "context": (_context, 40),
    "neighbours": (_neighbours, 40),
    "taps": (_taps, 40),
    "normalize": (_normalize, 40),
    "matrix_block": (_matrix_block, 40),
    "block_scores": (_block_scores, 40),
    "block_weights": (_block_weights, 40),
    "block_context": (_block_context, 40),
    "lookup": (_lookup, 20),
}
"""Name of a generator: the generator, and how often it is drawn from."""
