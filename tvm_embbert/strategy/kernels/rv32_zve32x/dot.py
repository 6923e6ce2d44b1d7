"""Dot products of a row of bytes with columns of bytes, four columns at a time.

The row stays in registers as two halves. A half of a column times a half of the row is added to the
product of the other halves in 16 bits; a reduction then adds all of them in 32 bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from tvm_embbert.strategy.kernels.arithmetic import widened
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.rv32_zve32x.assembly import assembly, intrinsic
from tvm_embbert.strategy.kernels.tir import prim_func

COLUMNS = 4
LARGEST = 128
"""Bytes of a row that fit the registers for it, where they have 128 bits."""
_RESULTS = (13, 14, 15, 8)


def segments(width: int) -> list[tuple[int, int]]:
    """Return first byte and length of each part of a row that is multiplied at once."""
    return [(k, min(LARGEST, width - k)) for k in range(0, width, LARGEST)]


@cache
def dot(width: int, started: bool, lowest: bool) -> Intrinsic:
    """Return the intrinsic that multiplies a row of `width` bytes, up to 128, with columns.

    Parameters: ``x`` int8 (width), ``w`` int8 (columns, width), if `started` ``start`` int32
    (columns), which may be ``sums``; ``sums`` int32 (columns), ``columns``, at least 1.

    Parameters
    ----------
    width : int
        Bytes of a row.
    started : bool
        Whether the sums begin at given values rather than 0.
    lowest : bool
        Whether -128 may meet -128, twice of which is one more than 16 bits hold.
    """
    types = dot_types(started)
    name = f"te_rvv_dot_{width}{'_started' * started}{'_lowest' * lowest}"
    changed = [n for n in types if n != "x"]
    body = assembly(_multiplying(width, started, lowest), changed, {"x": "x"})
    return intrinsic(name, types, body, dot_meaning(width, started), ("columns",))


def dot_types(started: bool) -> dict[str, str]:
    """Return the parameters of a dot product and their types."""
    return {
        "x": "const int8_t *",
        "w": "const int8_t *",
        **({"start": "const int32_t *"} if started else {}),
        "sums": "int32_t *",
        "columns": "int32_t",
    }


def _multiplying(width: int, started: bool, lowest: bool) -> Iterator[str]:
    half = (width + 1) // 2
    yield from _load_row(width, half)
    # What reductions begin with makes good for the -1 that each lane begins with.
    yield "vsetivli zero, 4, e32, m1, ta, ma"
    yield f"vmv.v.{'x v12, t0' if lowest else 'i v12, 0'}"
    yield from _begin(lowest)
    yield "srli t1, {columns}, 2"
    yield "andi {columns}, {columns}, 3"
    yield "beqz t1, 2f"
    yield "1:"
    for first in (0, 2):
        yield from _columns(width, half, lowest, _RESULTS[first : first + 2])
    yield "vsetivli zero, 4, e32, m1, ta, ma"
    for place, result in enumerate(_RESULTS[1:], 1):
        yield f"vslideup.vi v13, v{result}, {place}"
    yield from _store(started, COLUMNS)
    yield "addi t1, t1, -1"
    yield "bnez t1, 1b"
    yield "2:"
    yield "beqz {columns}, 4f"
    yield "3:"
    yield from _columns(width, half, lowest, _RESULTS[:1])
    yield "vsetivli zero, 1, e32, m1, ta, ma"
    yield from _store(started, 1)
    yield "addi {columns}, {columns}, -1"
    yield "bnez {columns}, 3b"
    yield "4:"


def _load_row(width: int, half: int) -> Iterator[str]:
    """Load the halves of the row; where they share a byte, it counts in the first alone."""
    yield f"li t0, {half}"
    yield "vsetvli zero, t0, e8, m4, tu, ma"
    yield "vle8.v v0, ({x})"
    yield f"addi t1, {{x}}, {width - half}"
    yield "vle8.v v4, (t1)"
    if width % 2:
        yield "vmv.s.x v4, zero"


def _begin(lowest: bool) -> Iterator[str]:
    """Let lanes begin at -1: what they sum up to is then -32513 to 32767."""
    if lowest:
        yield "vsetvli zero, t0, e16, m8, ta, ma"
        yield "vmv.v.i v16, -1"
        yield "vmv.v.i v24, -1"


def _columns(width: int, half: int, lowest: bool, results: tuple[int, ...]) -> Iterator[str]:
    """Yield the sums of one or two columns, each in the first lane of a register."""
    yield "vsetvli zero, t0, e8, m4, ta, ma"
    for products in (16, 24)[: len(results)]:
        yield "vle8.v v8, ({w})"
        yield f"addi {{w}}, {{w}}, {width - half}"
        yield f"{'vwmacc' if lowest else 'vwmul'}.vv v{products}, v0, v8"
        yield "vle8.v v8, ({w})"
        yield f"addi {{w}}, {{w}}, {half}"
        yield f"vwmacc.vv v{products}, v4, v8"
    yield "vsetvli zero, t0, e16, m8, ta, ma"
    for products, result in zip((16, 24), results, strict=False):
        yield f"vwredsum.vs v{result}, v{products}, v12"
        if lowest:
            yield f"vmv.v.i v{products}, -1"


def _store(started: bool, count: int) -> Iterator[str]:
    if started:
        yield "vle32.v v9, ({start})"
        yield f"addi {{start}}, {{start}}, {4 * count}"
        yield "vadd.vv v13, v13, v9"
    yield "vse32.v v13, ({sums})"
    yield f"addi {{sums}}, {{sums}}, {4 * count}"


def dot_meaning(width: int, started: bool) -> Any:
    """Return what a dot product computes; its parameters are those of :func:`dot`."""
    with prim_func(f"dot_{width}_meaning") as tir:
        columns = tir.dim("columns")
        x = tir.tensor("x", (width,), "int8")
        w = tir.tensor("w", (columns, width), "int8")
        start = tir.tensor("start", (columns,), "int32") if started else None
        sums = tir.tensor("sums", (columns,), "int32")
        with tir.loop("c", columns) as c:
            tir.store(sums, c, 0 if start is None else start[c])
            with tir.loop("k", width) as k:
                tir.accumulate(sums, c, widened(x[k]) * widened(w[c, k]))
    return tir.prim_func
