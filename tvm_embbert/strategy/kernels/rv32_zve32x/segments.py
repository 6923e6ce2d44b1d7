"""Dot products of a row of bytes with columns of bytes, eight columns at a time.

One load takes a column's even bytes to one group of registers and its odd ones to another, and so
it was with the row: two products meet in a lane, as they do with halves. That saves a load and an
addition a column. It saves counted instructions; cores may take such a load apart byte by byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.rv32_zve32x.assembly import assembly, intrinsic
from tvm_embbert.strategy.kernels.rv32_zve32x.dot import dot_meaning, dot_types

COLUMNS = 8
_RESULTS = (24, 25, 27, 28, 26, 29, 30, 8)
"""A column's sum lies in the first lane; those of each four are brought together in the first."""
_SEED = 31
_LOWEST = -128


@cache
def dot_segments(width: int, started: bool, lowest: str) -> Intrinsic:
    """Return the intrinsic that multiplies a row of `width` bytes, even, up to 128, with columns.

    Parameters are those of :func:`~tvm_embbert.strategy.kernels.rv32_zve32x.dot.dot`.

    Parameters
    ----------
    width : int
        Bytes of a row.
    started : bool
        Whether the sums begin at given values rather than 0.
    lowest : str
        ``absent`` if no column has -128, whose square twice is one more than 16 bits hold;
        ``offset`` to let lanes begin at -1, ``checked`` to do so only where the row has -128.
    """
    types = dot_types(started)
    name = f"te_rvv_dot_segments_{width}{'_started' * started}_{lowest}"
    changed = [n for n in types if n != "x"]
    body = assembly(_multiplying(width, started, lowest), changed, {"x": "x"})
    return intrinsic(name, types, body, dot_meaning(width, started), ("columns",))


def _multiplying(width: int, started: bool, lowest: str) -> Iterator[str]:
    yield f"li t0, {width // 2}"
    yield "vsetvli zero, t0, e8, m4, ta, ma"
    yield "vlseg2e8.v v0, ({x})"
    if lowest == "checked":
        yield from _check()
        yield "bnez t1, 5f"
        yield from _loops(width, started, False)
        yield "j 9f"
        yield "5:"
    yield from _loops(width, started, lowest != "absent")
    yield "9:"


def _check() -> Iterator[str]:
    """Yield the count, in t1, of lanes of the row that hold -128."""
    yield f"li t2, {_LOWEST}"
    yield "vmseq.vx v8, v0, t2"
    yield "vmseq.vx v9, v4, t2"
    yield "vmor.mm v8, v8, v9"
    yield "vcpop.m t1, v8"


def _loops(width: int, started: bool, offset: bool) -> Iterator[str]:
    """Yield the loop over eight columns, and that over what is left."""
    yield "vsetivli zero, 1, e32, m1, ta, ma"
    yield f"vmv.v.{f'x v{_SEED}, t0' if offset else f'i v{_SEED}, 0'}"
    if offset:
        yield "vsetvli zero, t0, e16, m8, ta, ma"
        yield "vmv.v.i v16, -1"
    yield "srli t1, {columns}, 3"
    yield "andi {columns}, {columns}, 7"
    yield "beqz t1, 2f"
    yield "1:"
    for result in _RESULTS:
        yield from _column(width, offset, result)
    yield from _gather()
    yield from _store(started, COLUMNS)
    yield "addi t1, t1, -1"
    yield "bnez t1, 1b"
    yield "2:"
    yield "beqz {columns}, 4f"
    yield "3:"
    yield from _column(width, offset, _RESULTS[0])
    yield "vsetivli zero, 1, e32, m1, ta, ma"
    yield from _store(started, 1)
    yield "addi {columns}, {columns}, -1"
    yield "bnez {columns}, 3b"
    yield "4:"


def _column(width: int, offset: bool, result: int) -> Iterator[str]:
    """Yield the sum of a column, in the first lane of a register."""
    yield "vsetvli zero, t0, e8, m4, ta, ma"
    yield "vlseg2e8.v v8, ({w})"
    yield f"addi {{w}}, {{w}}, {width}"
    yield f"{'vwmacc' if offset else 'vwmul'}.vv v16, v0, v8"
    yield "vwmacc.vv v16, v4, v12"
    yield "vsetvli zero, t0, e16, m8, ta, ma"
    yield f"vwredsum.vs v{result}, v16, v{_SEED}"
    if offset:
        yield "vmv.v.i v16, -1"


def _gather() -> Iterator[str]:
    """Yield the steps that bring eight sums together, from v24 on."""
    yield "vsetivli zero, 4, e32, m1, ta, ma"
    for first in (0, 4):
        target, *others = _RESULTS[first : first + 4]
        for place, result in enumerate(others, 1):
            yield f"vslideup.vi v{target}, v{result}, {place}"
    yield "vsetivli zero, 8, e32, m2, ta, ma"
    yield "vslideup.vi v24, v26, 4"


def _store(started: bool, count: int) -> Iterator[str]:
    if started:
        yield "vle32.v v10, ({start})"
        yield f"addi {{start}}, {{start}}, {4 * count}"
        yield "vadd.vv v24, v24, v10"
    yield "vse32.v v24, ({sums})"
    yield f"addi {{sums}}, {{sums}}, {4 * count}"
