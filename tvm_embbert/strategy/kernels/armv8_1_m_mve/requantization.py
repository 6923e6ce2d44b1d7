"""Sums to int8 or int16: groups of eight columns of two rows, the even ones before the odd ones.

VMULH keeps the high 32 bits of a product. The narrowing moves saturate: VQMOVNB fills the even
halves of a vector and VQMOVNT the odd ones, so that columns in this order come out in their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from tvm_embbert.strategy.kernels.arithmetic import requantize
from tvm_embbert.strategy.kernels.armv8_1_m_mve.assembly import assembly, intrinsic
from tvm_embbert.strategy.kernels.armv8_1_m_mve.dot import COLUMNS, ROWS
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.tir import Expr, prim_func
from tvm_embbert.strategy.operator import Array

GROUP = 2 * COLUMNS
_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)


def order(columns: int) -> Array:
    """Return which column lies at each place, in whole groups; -1 where there is none."""
    groups = -(-columns // GROUP)
    places = (np.arange(groups)[:, None] * GROUP + np.array(_ORDER)).reshape(-1)
    return np.where(places < columns, places, -1)


def ordered(values: Array) -> Array:
    """Return values (columns, ...) in that order, zero where there is no column."""
    filled = np.concatenate([values, np.zeros((1, *values.shape[1:]), values.dtype)])
    return np.ascontiguousarray(filled[order(len(values))])


def place(column: Expr) -> Expr:
    """Return the place of a column."""
    inside = column % GROUP
    return column // GROUP * GROUP + inside // 2 + inside % 2 * COLUMNS


@cache
def requantize_rows(columns: int, shift: int, dtype: str, multiple: bool = False) -> Intrinsic:
    """Return the intrinsic that scales the sums of two rows.

    With `multiple`, a load takes all the sums of eight columns, and one all their multipliers.

    Parameters: ``sums`` int32 (blocks, 2 rows, 4 columns), ``multiplier`` int32 (columns in whole
    groups, ordered), ``first`` and ``second``, the rows of the result, which may be the same one.
    """
    types = {
        "sums": "const int32_t *",
        "multiplier": "const int32_t *",
        "first": f"{dtype}_t *",
        "second": f"{dtype}_t *",
    }
    name = f"te_mve_requantize_{columns}_{shift}_{dtype}{'_multiple' * multiple}"
    body = assembly(_scaling(columns, shift, dtype, multiple), list(types))
    meaning = _scaled(columns, shift, dtype)
    return intrinsic(name, types, body, meaning)


def _scaling(columns: int, shift: int, dtype: str, multiple: bool) -> Iterator[str]:
    groups, tail = divmod(columns, GROUP)
    if groups:
        yield f"mov lr, #{groups}"
        yield "dls lr, lr"
        yield "1:"
        yield from _group(shift, dtype, "", multiple)
        yield "le lr, 1b"
    if tail:
        yield f"mov r0, #{tail}"
        yield "vctp.16 r0"
        yield from _group(shift, dtype, "t", multiple)


def _load_group(multiple: bool) -> Iterator[str]:
    if multiple:
        yield "vldmia {multiplier}!, {{d0-d3}}"
        yield "vldmia {sums}!, {{d4-d11}}"
        return
    yield "vldrw.u32 q0, [{multiplier}], #16"
    yield "vldrw.u32 q1, [{multiplier}], #16"
    for register in (3, 4, 5):
        yield f"vldrw.u32 q{register}, [{{sums}}, #{16 * (register - 2)}]"
    yield "vldrw.u32 q2, [{sums}], #64"


def _group(shift: int, dtype: str, then: str, multiple: bool) -> Iterator[str]:
    """Yield the steps of eight columns: q2 and q4 are of the first row, q3 and q5 the second."""
    yield from _load_group(multiple)
    for register in (2, 3, 4, 5):
        if shift:
            yield f"vshl.i32 q{register}, q{register}, #{shift}"
        yield f"vmulh.s32 q{register}, q{register}, q{register // 4}"
    for row, pointer in enumerate(("first", "second")):
        yield f"vqmovnb.s32 q{2 + row}, q{2 + row}"
        yield f"vqmovnt.s32 q{2 + row}, q{4 + row}"
        if dtype == "int8":
            yield f"vqmovnb.s16 q{2 + row}, q{2 + row}"
        if then:
            yield "vpst"
        store = f"vstrb{then}.16" if dtype == "int8" else f"vstrh{then}.16"
        yield f"{store} q{2 + row}, [{{{pointer}}}], #{8 if dtype == 'int8' else 16}"


def _scaled(columns: int, shift: int, dtype: str) -> Any:
    count = len(order(columns))
    with prim_func(f"requantize_{columns}_{shift}_{dtype}_meaning") as tir:
        sums = tir.tensor("sums", (count // COLUMNS, ROWS, COLUMNS), "int32")
        multiplier = tir.tensor("multiplier", (count,), "int32")
        results = [tir.tensor(n, (columns,), dtype) for n in ("first", "second")]
        for row, result in enumerate(results):
            with tir.loop("c", columns) as c:
                at = place(c)
                total = sums[at // COLUMNS, row, at % COLUMNS]
                tir.store(result, c, requantize(total, multiplier[at], shift, dtype))
    return tir.prim_func
