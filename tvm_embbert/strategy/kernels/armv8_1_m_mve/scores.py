"""Scores of two queries, four keys at a time: one of each quarter of the keys.

The keys of a quarter follow each other, so that each has a pointer that only moves on. Scores thus
come in another order than keys: position 4 * b + i is that of key b + i * quarter. Keys that are
left over come last. All that follows keeps this order.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from tvm_embbert.strategy.kernels.arithmetic import widened
from tvm_embbert.strategy.kernels.armv8_1_m_mve.assembly import (
    LANES,
    SUMS,
    assembly,
    intrinsic,
)
from tvm_embbert.strategy.kernels.armv8_1_m_mve.dot import COLUMNS, ROWS, packed_index
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func

_KEYS = ("k", "k1", "k2", "k3")


@cache
def score_quarters(width: int, unroll: int = 1) -> Intrinsic:
    """Return the intrinsic that multiplies two packed queries with all keys of four quarters.

    A turn of the loop takes `unroll` keys of each quarter, 1, 2 or 4; the first one what is left.

    Parameters: ``x`` int8 (2 * width), ``k`` int8 (4 * quarter, width) at whole words, ``scores``
    int32 (quarter, 2 queries, 4 keys), ``quarter``, at least 1.
    """
    types = {
        "x": "const void *",
        "k": "const int8_t *",
        "scores": "int32_t *",
        "quarter": "int32_t",
    }
    name = f"te_mve_score_quarters_{width}{f'_{unroll}' * (unroll > 1)}"
    steps = "".join(f"  const int8_t *k{n} = k + {n} * {width} * quarter;\n" for n in (1, 2, 3))
    # No general register is left for the end: a part of a vector keeps it.
    end = f"(uint32_t)(scores + {ROWS * COLUMNS} * quarter)"
    wide = {"end": end} | ({"left": f"quarter & {unroll - 1}"} if unroll > 1 else {})
    body = assembly(_scoring(width, unroll), ["x", *_KEYS, "scores"], wide=wide)
    meaning = _scored(width)
    return intrinsic(name, types, steps + body, meaning, ("quarter",))


def _scoring(width: int, unroll: int) -> Iterator[str]:
    """Yield the loop, entered where as many keys of a turn follow as are left over."""
    if unroll > 1:
        yield "vmov r0, {left}"
        for turn in range(1, unroll):
            yield f"cmp r0, #{unroll - turn}"
            yield f"beq {2 + turn}f"
    yield "1:"
    for turn in range(unroll):
        if turn:
            yield f"{2 + turn}:"
        yield from _score_keys(width)
    yield "vmov r0, {end}"
    yield "cmp {scores}, r0"
    yield "bne 1b"


def _score_keys(width: int) -> Iterator[str]:
    """Yield the scores of two queries and a key of each quarter."""
    vectors = width // LANES
    for vector in range(0, vectors, 2):
        count = min(2, vectors - vector)
        yield f"vldmia {{x}}!, {{{{d0-d{4 * count - 1}}}}}"
        for column, key in enumerate(_KEYS):
            yield f"vldmia {{{key}}}!, {{{{d8-d{8 + 2 * count - 1}}}}}"
            for inside in range(count):
                what = "vmladav" if vector + inside == 0 else "vmladava"
                for row in range(ROWS):
                    total = SUMS[4 * row + column]
                    yield f"{what}.s8 {total}, q{row * count + inside}, q{4 + inside}"
    yield f"sub {{x}}, #{ROWS * width}"
    yield "stmia {scores}!, {{" + ",".join(SUMS) + "}}"


def _scored(width: int) -> Any:
    with prim_func(f"score_quarters_{width}_meaning") as tir:
        quarter = tir.dim("quarter")
        x = tir.tensor("x", (ROWS * width,), "int8")
        k = tir.tensor("k", (COLUMNS * quarter, width), "int8")
        scores = tir.tensor("scores", (quarter, ROWS, COLUMNS), "int32")
        with tir.loop("b", quarter) as b, tir.loop("i", COLUMNS) as i:
            for row in range(ROWS):
                _product(tir, (x, row, width), (k, b + i * quarter), (scores, (b, row, i)))
    return tir.prim_func


def _product(
    tir: Tir, query: tuple[Buffer, int, int], key: tuple[Buffer, Expr], place: tuple[Buffer, Any]
) -> None:
    x, row, width = query
    k, number = key
    scores, at = place
    tir.store(scores, at, 0)
    with tir.loop("c", width) as c:
        product = widened(x[packed_index(row, c, width)]) * widened(k[number, c])
        tir.store(scores, at, scores[at] + product)


@cache
def score_key(width: int) -> Intrinsic:
    """Return the intrinsic for one key: ``x``, ``k`` int8 (width), ``scores`` int32 (2, 4).

    It writes the first score of either query.
    """
    types = {"x": "const void *", "k": "const int8_t *", "scores": "int32_t *"}
    name = f"te_mve_score_key_{width}"
    body = assembly(_scoring_key(width), list(types))
    with prim_func(f"score_key_{width}_meaning") as tir:
        x = tir.tensor("x", (ROWS * width,), "int8")
        k = tir.tensor("k", (1, width), "int8")
        scores = tir.tensor("scores", (ROWS, COLUMNS), "int32")
        for row in range(ROWS):
            _product(tir, (x, row, width), (k, 0), (scores, (row, 0)))
    return intrinsic(name, types, body, tir.prim_func)


def _scoring_key(width: int) -> Iterator[str]:
    vectors = width // LANES
    for vector in range(0, vectors, 2):
        count = min(2, vectors - vector)
        yield f"vldmia {{x}}!, {{{{d0-d{4 * count - 1}}}}}"
        yield f"vldmia {{k}}!, {{{{d8-d{8 + 2 * count - 1}}}}}"
        for inside in range(count):
            what = "vmladav" if vector + inside == 0 else "vmladava"
            for row in range(ROWS):
                total = SUMS[row]
                yield f"{what}.s8 {total}, q{row * count + inside}, q{4 + inside}"
    yield "str r0, [{scores}]"
    yield "str r2, [{scores}, #16]"
