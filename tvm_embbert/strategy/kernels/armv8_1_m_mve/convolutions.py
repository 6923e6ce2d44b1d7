"""Rows of a causal convolution from its windows: two vectors of taps make a result each."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from tvm_embbert.strategy.kernels.arithmetic import requantize, widened
from tvm_embbert.strategy.kernels.armv8_1_m_mve.assembly import (
    LANES,
    SUMS,
    assembly,
    interleaved,
    intrinsic,
)
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.tir import prim_func


@cache
def convolve(reach: int, shift: int, most: int, channels: int, stored: bool = False) -> Intrinsic:
    """Return the intrinsic that computes up to `most` rows of `channels` channels.

    Parameters: ``window`` int8 (channels, as many rows as `most` see), ``weight`` int8 (channels,
    reach), ``scale`` int32 (channels, 2), bias and multiplier; ``result`` int8 (rows, step) from
    the first channel on, ``rows``, ``step``. Sums go to vectors by memory if they are `stored`.
    """
    types = {
        "window": "const int8_t *",
        "weight": "const int8_t *",
        "scale": "const int32_t *",
        "result": "int8_t *",
        "rows": "int32_t",
        "step": "int32_t",
    }
    name = f"te_mve_convolve_{reach}_{shift}_{most}_{channels}{'_stored' * stored}"
    body = f"  int32_t left = {channels};\n"
    if stored:
        body += "  int32_t place[16], *sums = place;\n"
    changed = ["window", "weight", "scale", "result", "left", *["sums"] * stored]
    kept = {"step": "step", "end": "rows * step"}
    body += assembly(_convolving(reach, shift, most, stored), changed, wide=kept)
    meaning = _convolved(reach, shift, most, channels)
    return intrinsic(name, types, body, meaning, ("rows", "step"))


def _convolving(reach: int, shift: int, most: int, stored: bool) -> Iterator[str]:
    """Yield a channel's sums of eight rows in general registers, then in q2 and q3.

    q7 has the rows' places in the result, in the order that narrowing leaves; q6 their end.
    """
    yield from interleaved("q7")
    yield "vmov r0, {step}"
    yield "vmul.i16 q7, q7, r0"
    yield "vmov r0, {end}"
    yield "vdup.16 q6, r0"
    yield "1:"
    for vector in range(reach // LANES):
        yield f"vldrb.u8 q{vector}, [{{weight}}], #16"
    if stored:
        yield from _convolve_stored(reach, shift, most)
    for first in range(0, 0 if stored else most, len(SUMS)):
        count = min(len(SUMS), most - first)
        yield from _convolve_rows(reach, shift, (first, count), first + count == most)
    yield "add {result}, #1"
    yield f"add {{window}}, #{window_of(reach, most)}"
    yield "subs {left}, #1"
    yield "bne 1b"


def _convolve_rows(reach: int, shift: int, rows: tuple[int, int], is_last: bool) -> Iterator[str]:
    """Yield the results of up to eight rows of a channel, the first one and their number given."""
    first, count = rows
    yield from _sum_rows(reach, rows)
    yield f"ldrd r0, r2, [{{scale}}]{', #8' * is_last}"
    yield "vdup.32 q4, r2"
    yield from _scale_rows(shift, -(-count // 4))
    yield from _store_rows(first)


def _scale_rows(shift: int, vectors: int) -> Iterator[str]:
    """Yield the narrowing of sums in q2 and q3, with the bias in r0 and the multiplier in q4."""
    for register in (2, 3)[:vectors]:
        yield f"vadd.i32 q{register}, q{register}, r0"
        if shift:
            yield f"vshl.i32 q{register}, q{register}, #{shift}"
        yield f"vmulh.s32 q{register}, q{register}, q4"
    yield "vqmovnb.s32 q2, q2"
    if vectors > 1:
        yield "vqmovnt.s32 q2, q3"
    yield "vqmovnb.s16 q2, q2"


def _store_rows(first: int) -> Iterator[str]:
    """Yield the store of up to eight rows from the first on, those that there are."""
    if first:
        yield "vmov r2, {step}"
        yield f"lsl r2, r2, #{first.bit_length() - 1}"
        yield "vadd.i16 q3, q7, r2"
    places = 3 if first else 7
    yield f"vpt.s16 gt, q6, q{places}"
    yield f"vstrbt.16 q2, [{{result}}, q{places}]"


def _convolve_stored(reach: int, shift: int, most: int) -> Iterator[str]:
    """Yield the results of all rows of a channel; the taps in q0 are no longer needed then."""
    for first in range(0, most, len(SUMS)):
        count = min(len(SUMS), most - first)
        yield from _products(reach, (first, count))
        yield "stmia {sums}!, {{" + ",".join(SUMS[:count]) + "}}"
    yield f"sub {{sums}}, #{4 * most}"
    vectors = most // 4
    for first in range(0, vectors, 2):
        count = min(2, vectors - first)
        at = f"{{sums}}, #{16 * first}"
        yield f"vldrw.u32 q2, [{at}]"
        if count > 1:
            yield f"vldrw.u32 q3, [{{sums}}, #{16 * first + 16}]"
        if first == 0:
            yield "ldrd r0, r2, [{scale}], #8"
            yield "vdup.32 q4, r2"
        yield from _scale_rows(shift, count)
        yield from _store_rows(4 * first)


def _sum_rows(reach: int, rows: tuple[int, int]) -> Iterator[str]:
    """Yield the sums of rows: four of them to q2, others to q3."""
    _, count = rows
    yield from _products(reach, rows)
    for half in range(-(-count // 4)):
        a, b, c, d = SUMS[4 * half : 4 * half + 4]
        yield f"vmov q{2 + half}[2], q{2 + half}[0], {a}, {c}"
        yield f"vmov q{2 + half}[3], q{2 + half}[1], {b}, {d}"


def _products(reach: int, rows: tuple[int, int]) -> Iterator[str]:
    """Yield the sums of rows in general registers, the taps in q0 and q1."""
    first, count = rows
    vectors = reach // LANES
    for row, total in enumerate(SUMS[:count], first):
        for vector in range(vectors):
            yield f"vldrb.u8 q{2 + vector}, [{{window}}, #{row + vector * LANES}]"
        for vector in range(vectors):
            what = "vmladava" if vector else "vmladav"
            yield f"{what}.s8 {total}, q{2 + vector}, q{vector}"


def window_of(reach: int, rows: int) -> int:
    """Return the rows that `rows` results see, in whole vectors."""
    return -(-(reach - 1 + rows) // LANES) * LANES


def _convolved(reach: int, shift: int, most: int, channels: int) -> Any:
    with prim_func(f"convolve_{reach}_{shift}_meaning") as tir:
        rows, step = tir.dim("rows"), tir.dim("step")
        window = tir.tensor("window", (channels, window_of(reach, most)), "int8")
        weight = tir.tensor("weight", (channels, reach), "int8")
        scale = tir.tensor("scale", (channels, 2), "int32")
        result = tir.tensor("result", (rows, step), "int8")
        total = tir.local("total", "int32")
        with tir.loop("i", rows) as i, tir.loop("c", channels) as c:
            tir.store(total, 0, scale[c, 0])
            with tir.loop("t", reach) as t:
                tir.accumulate(total, 0, widened(window[c, i + t]) * widened(weight[c, t]))
            tir.store(result, (i, c), requantize(total[0], scale[c, 1], shift, "int8"))
    return tir.prim_func
