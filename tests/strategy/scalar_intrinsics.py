"""Random calls of the intrinsics with two rows in a word, to be compared with their meanings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from random_cases import INT32_MAX, Rng, pick, values

from tvm_embbert.quantize import arithmetic
from tvm_embbert.strategy.attention import distance_limit
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.scalar.burst_contexts import burst_contexts
from tvm_embbert.strategy.kernels.scalar.burst_matrix import (
    BurstMatrixForm,
    burst_matrix,
    burst_weight,
)
from tvm_embbert.strategy.kernels.scalar.burst_scores import burst_scores
from tvm_embbert.strategy.kernels.scalar.burst_taps import burst_taps
from tvm_embbert.strategy.kernels.scalar.burst_words import words_beside, words_shape
from tvm_embbert.strategy.kernels.scalar.contexts import contexts
from tvm_embbert.strategy.kernels.scalar.entries import at_once, entry_words, weight_entries
from tvm_embbert.strategy.kernels.scalar.entry_contexts import entry_contexts
from tvm_embbert.strategy.kernels.scalar.form import (
    ARM,
    BURST,
    BURST_ROWS,
    LONG,
    ROWS,
    SPLIT,
    TRIPLE,
    TRIPLE_ROWS,
    UNROLL,
    Block,
    held,
    multiply_of,
)
from tvm_embbert.strategy.kernels.scalar.matrix import MatrixForm, interleave, matrix
from tvm_embbert.strategy.kernels.scalar.scores import ScoresForm, scores
from tvm_embbert.strategy.kernels.scalar.taps import neighbours, taps
from tvm_embbert.strategy.kernels.scalar.weights import weights
from tvm_embbert.strategy.kernels.scalar.words import words

Call = tuple[Intrinsic, list[Any], dict[str, int]]
STEPS = (1, 2, 3, 7, 15, 17, 31, 33, 127, 129)


def block_for(rng: Rng, isa: str, pairs: bool = False) -> Block:
    """Return a block that the registers hold; with two rows in a word where there must be pairs."""
    some = pick(rng, ROWS if pairs else TRIPLE_ROWS)
    ways = [LONG, SPLIT] if isa == ARM else [SPLIT]
    wanted = str(rng.choice(ways if pairs else [*ways, TRIPLE]))
    multiply = multiply_of(isa, {"multiply": wanted}, some, True)
    outputs = int(rng.integers(1, held(isa, multiply, some) + 1))
    return Block(some, outputs, pick(rng, UNROLL[:4]), multiply)


def packed(x: np.ndarray, block: Block) -> np.ndarray:
    """Return ``x`` (rows, steps) as words (steps, words)."""
    wide = x.astype(np.int32)
    words = [wide[w.low] + wide[w.high] * (1 << w.bits) for w in block.layout]
    return np.stack(words, axis=1).astype(np.int32)


def _words(rng: Rng, isa: str) -> Iterator[Call]:
    block, width = block_for(rng, isa), pick(rng, STEPS)
    rows = int(rng.integers(1, block.rows + 1))
    result = np.zeros((width, block.words), np.int32)
    yield words(block), [values(rng, (rows, width), "int8"), result], {"rows": rows, "width": width}


def _matrix(rng: Rng, isa: str) -> Iterator[Call]:
    block, steps = block_for(rng, isa), pick(rng, STEPS)
    outputs, indexed = pick(rng, (1, 2, 3, 7, 8, 12)), bool(rng.integers(2))
    ragged, dtype = outputs % block.outputs > 0, str(rng.choice(["int8", "int16"]))
    rows, indices = int(rng.integers(1, block.rows + 1)), 3 if indexed else 1
    x = packed(values(rng, (block.rows, steps), "int8"), block)
    weight = interleave(values(rng, (outputs, steps), "int8"), block.outputs)
    shape = (indices, outputs) if indexed else (outputs,)
    bias = rng.integers(-(2**20), 2**20, shape).astype(np.int32)
    multiplier = rng.integers(0, INT32_MAX >> pick(rng, (0, 8)), outputs).astype(np.int32)
    index = [rng.integers(0, indices, rows).astype(np.int32)] if indexed else []
    arrays = [x, *index, weight, bias, multiplier, pick(rng, (0, 1, 4))]
    dims = {"steps": steps, "outputs": outputs, "rows": rows, "indices": indices}
    form = MatrixForm(block, dtype, indexed, ragged)
    yield matrix(form), [*arrays, values(rng, (rows, outputs), dtype)], dims


def _mask(rng: Rng, keys: int, masked: bool) -> list[np.ndarray]:
    return [rng.random(keys) < rng.choice([0.0, 0.5, 1.0])] if masked else []


def _scores(rng: Rng, isa: str) -> Iterator[Call]:
    block, width, keys = block_for(rng, isa), pick(rng, STEPS), pick(rng, STEPS)
    masked = bool(rng.integers(2))
    x = packed(values(rng, (block.rows, width), "int8"), block)
    found = np.zeros((keys, block.rows), np.int32)
    arrays = [x, values(rng, (keys, width), "int8"), *_mask(rng, keys, masked), found]
    tops = np.zeros(block.rows, np.int32)
    yield scores(ScoresForm(block, width, masked)), [*arrays, tops], {"keys": keys}


def _weights(rng: Rng, isa: str) -> Iterator[Call]:
    block, keys, masked = block_for(rng, isa), pick(rng, STEPS), bool(rng.integers(2))
    for shift in (0, pick(rng, (1, 2, 6))):
        found = rng.integers(-(2**21), 2**21, (keys, block.rows)).astype(np.int32)
        low = 2**20 if shift == 0 else 2**30
        multiplier = int(rng.integers(low // 64, low))
        limit = distance_limit(multiplier, shift)
        scaling = [found.max(axis=0), arithmetic.exponential_table(), limit, multiplier, shift]
        made = [np.zeros((keys, block.words), np.int32), np.zeros(block.rows, np.int32)]
        arrays = [found, *_mask(rng, keys, masked), *scaling, *made]
        yield weights(block, masked, shift > 0), arrays, {"keys": keys}


def _contexts(rng: Rng, isa: str) -> Iterator[Call]:
    block, width = block_for(rng, isa, True), pick(rng, STEPS)
    keys, rows = pick(rng, (*STEPS, 300)), int(rng.integers(1, block.rows + 1))
    weight = rng.integers(0, 128, (block.rows, keys)).astype(np.int8)
    v = values(rng, (keys, width), "int8")
    totals = weight.sum(axis=1, dtype=np.int32)
    scaling = [totals, int(rng.integers(2**28, 2**31)), pick(rng, (0, 1, 2))]
    arrays = [packed(weight, block), v, *scaling, values(rng, (rows, width), "int8")]
    reach = max(1, 2047 // width)
    short = Block(
        block.rows, block.outputs, min(block.unroll, 1 << reach.bit_length() - 1), block.multiply
    )
    yield contexts(short, width), arrays, {"keys": keys, "rows": rows}


def burst_block(rng: Rng) -> Block:
    """Return a block of bursts that leave a register for the bytes."""
    return Block(pick(rng, [r for r in ROWS if r <= BURST_ROWS]), 1, pick(rng, UNROLL), BURST)


def listing_block(rng: Rng, isa: str) -> Block:
    """Return a block whose weights are entries: of bursts, or of rows by threes."""
    if isa != ARM or rng.integers(3) == 0:
        rows = pick(rng, (3, 6))
        multiply = multiply_of(isa, {"multiply": TRIPLE}, rows, True)
        outputs = int(rng.integers(1, held(isa, multiply, rows) + 1))
        return Block(rows, outputs, pick(rng, UNROLL[:4]), multiply)
    return burst_block(rng)


def beside_block(rng: Rng) -> Block:
    """Return a block of bursts that have the bytes beside the words."""
    return Block(8, 1, pick(rng, [n for n in UNROLL if n >= 4]), BURST)


def laid_beside(x: np.ndarray, block: Block) -> np.ndarray:
    """Return ``x`` (rows, steps) as words with room behind those of each turn."""
    turns = packed(x, block).reshape(-1, block.unroll * block.words)
    return np.pad(turns, ((0, 0), (0, block.unroll // 4))).reshape(-1)


def _words_beside(rng: Rng, isa: str) -> Iterator[Call]:
    block = beside_block(rng)
    width, rows = block.unroll * pick(rng, (1, 2, 5)), int(rng.integers(1, block.rows + 1))
    result = np.zeros(words_shape(block, width), np.int32)
    arrays = [values(rng, (rows, width), "int8"), result]
    yield words_beside(block), arrays, {"rows": rows, "width": width}


def _burst_matrix(rng: Rng, isa: str) -> Iterator[Call]:
    block = beside_block(rng) if rng.integers(2) else burst_block(rng)
    beside = block.rows > BURST_ROWS
    steps = block.unroll * pick(rng, (1, 2, 5)) if beside else pick(rng, (*STEPS, 255))
    outputs, indexed = pick(rng, (1, 2, 7)), bool(rng.integers(2))
    dtype, shift = str(rng.choice(["int8", "int16"])), pick(rng, (0, 1, 4))
    rows, indices = int(rng.integers(1, block.rows + 1)), 3 if indexed else 1
    x = values(rng, (block.rows, steps), "int8")
    form = BurstMatrixForm(block, dtype, indexed, steps, outputs, shift)
    weight = burst_weight(form, values(rng, (outputs, steps), "int8"))
    shape = (indices, outputs) if indexed else (outputs,)
    bias = rng.integers(-(2**20), 2**20, shape).astype(np.int32)
    multiplier = rng.integers(0, INT32_MAX >> pick(rng, (0, 8)), outputs).astype(np.int32)
    index = [rng.integers(0, indices, rows).astype(np.int32)] if indexed else []
    laid = laid_beside(x, block) if beside else packed(x, block)
    arrays = [laid, *index, weight, bias, multiplier, values(rng, (rows, outputs), dtype)]
    yield burst_matrix(form), arrays, {"rows": rows, "indices": indices}


def _burst_scores(rng: Rng, isa: str) -> Iterator[Call]:
    block, keys, masked = burst_block(rng), pick(rng, STEPS), bool(rng.integers(2))
    width = pick(rng, (*STEPS, 255))
    x = packed(values(rng, (block.rows, width), "int8"), block)
    arrays = [x, values(rng, (keys, width), "int8"), *_mask(rng, keys, masked)]
    found, tops = np.zeros((keys, block.rows), np.int32), np.zeros(block.rows, np.int32)
    form = ScoresForm(block, width, masked)
    yield burst_scores(form), [*arrays, found, tops], {"keys": keys}


def _entries(rng: Rng, isa: str) -> Iterator[Call]:
    block, keys, masked = listing_block(rng, isa), pick(rng, STEPS), bool(rng.integers(2))
    for shift in (0, pick(rng, (1, 2, 6))):
        found = rng.integers(-(2**21), 2**21, (keys, block.rows)).astype(np.int32)
        low = 2**20 if shift == 0 else 2**30
        multiplier = int(rng.integers(low // 4096, low))
        limit = distance_limit(multiplier, shift)
        scaling = [found.max(axis=0), arithmetic.exponential_table(), limit, multiplier, shift]
        most = -(-keys // 4) * 4
        made = [np.zeros((most, entry_words(block)), np.int32), np.zeros((2, block.rows), np.int32)]
        arrays = [found, *_mask(rng, keys, masked), *scaling, *made]
        yield weight_entries(block, 7, masked, shift > 0), arrays, {"keys": keys}


def _entry_contexts(rng: Rng, isa: str) -> Iterator[Call]:
    block, width = listing_block(rng, isa), pick(rng, STEPS)
    keys, rows = pick(rng, (*STEPS, 255, 256, 257, 300)), int(rng.integers(1, block.rows + 1))
    weight = rng.integers(0, 128, (block.rows, keys)) | (127 if rng.integers(2) else 0)
    v, whole = values(rng, (keys, width), "int8"), at_once(block)
    count = -(-int(rng.integers(keys + 1)) // whole) * whole or whole
    entries = np.zeros((-(-keys // 4) * 4, entry_words(block)), np.int32)
    entries[:keys, :-1] = packed(weight, block)
    entries[:, -1] = rng.integers(0, keys, len(entries)) * width
    totals = np.zeros((2, block.rows), np.int32)
    totals[0], totals[1, 0] = weight.sum(axis=1), count
    scaling = [totals, int(rng.integers(2**28, 2**31)), pick(rng, (0, 1, 2))]
    arrays = [entries, v, *scaling, values(rng, (rows, width), "int8")]
    made = burst_contexts if block.multiply == BURST else entry_contexts
    yield made(block, width), arrays, {"keys": keys, "rows": rows}


def _neighbours(rng: Rng, isa: str) -> Iterator[Call]:
    number, before = pick(rng, (1, 2, 3, 8, 32)), pick(rng, (0, 1, 5, 31))
    group, channels = pick(rng, (1, 2, 7, 8)), pick(rng, (1, 2, 7))
    first = pick(rng, (0, 8, 16))
    rows = first + group
    x = values(rng, (before + rows, channels), "int8")
    made = np.zeros(number + group - 1, np.int32)
    dims = {"taps": number, "group": group, "before": before, "rows": rows, "channels": channels}
    arrays = [x, first, int(rng.integers(channels)), made]
    yield neighbours(block_for(rng, isa, True).bits), arrays, dims


def _taps(rng: Rng, isa: str) -> Iterator[Call]:
    drawn = block_for(rng, isa, True)
    yield _taps_of(rng, Block(drawn.rows, 1, drawn.unroll, drawn.multiply))


def _burst_taps(rng: Rng, isa: str) -> Iterator[Call]:
    yield _taps_of(rng, Block(pick(rng, ROWS), 1, 2, BURST))


def _taps_of(rng: Rng, block: Block) -> Call:
    number, group = pick(rng, (1, 2, 3, 8, 32)), pick(rng, (1, 2, 7, 8, 16))
    whole = -(-group // block.rows) * block.rows
    x = values(rng, (whole + number,), "int8").astype(np.int32)
    found = (x[:-1] + x[1:] * (1 << block.bits)).astype(np.int32)
    outputs = pick(rng, (1, 3))
    scaling = [int(rng.integers(-(2**16), 2**16)), int(rng.integers(2**28)), pick(rng, (0, 1, 4))]
    arrays = [
        found,
        values(rng, (number,), "int8"),
        *scaling,
        values(rng, (group, outputs), "int8"),
    ]
    made = burst_taps if block.multiply == BURST else taps
    return made(block, number), arrays, {"group": group, "outputs": outputs}


INTRINSICS: dict[str, tuple[Callable[[Rng, str], Iterator[Call]], int]] = {
    "words": (_words, 20),
    "matrix": (_matrix, 60),
    "scores": (_scores, 40),
    "weights": (_weights, 30),
    "contexts": (_contexts, 40),
    "neighbours": (_neighbours, 60),
    "taps": (_taps, 40),
    "entries": (_entries, 40),
    "entry_contexts": (_entry_contexts, 60),
}
"""Name: its calls, and how often they are drawn."""

BURSTS: dict[str, tuple[Callable[[Rng, str], Iterator[Call]], int]] = {
    "words_beside": (_words_beside, 20),
    "burst_matrix": (_burst_matrix, 60),
    "burst_taps": (_burst_taps, 60),
    "burst_scores": (_burst_scores, 60),
}
"""The same for those of Armv7-M alone."""
