"""A row of sums to int8 or int16.

VMULH keeps the high 32 bits of a product; VNCLIP narrows with saturation, by no bits here, so that
its rounding mode plays no part.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from tvm_embbert.strategy.kernels.arithmetic import requantize
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.rv32_zve32x.assembly import assembly, intrinsic, narrowed
from tvm_embbert.strategy.kernels.tir import prim_func


@cache
def requantize_row(shift: int, dtype: str) -> Intrinsic:
    """Return the intrinsic that scales a row of sums.

    Parameters: ``sums`` and ``multiplier`` int32 (columns), ``result`` int8 or int16 (columns),
    ``columns``, at least 1.
    """
    types = {
        "sums": "const int32_t *",
        "multiplier": "const int32_t *",
        "result": f"{dtype}_t *",
        "columns": "int32_t",
    }
    name = f"te_rvv_requantize_{shift}_{dtype}"
    body = assembly(_scaling(shift, dtype), list(types))
    return intrinsic(name, types, body, _scaled(shift, dtype), ("columns",))


def _scaling(shift: int, dtype: str) -> Iterator[str]:
    yield "1:"
    yield "vsetvli t0, {columns}, e32, m8, ta, ma"
    yield "vle32.v v0, ({sums})"
    yield "vle32.v v8, ({multiplier})"
    if shift:
        yield f"vsll.vi v0, v0, {shift}"
    yield "vmulh.vv v0, v0, v8"
    yield from narrowed(0, 16, dtype)
    yield f"vse{dtype[3:]}.v v16, ({{result}})"
    yield "sub {columns}, {columns}, t0"
    for _ in range(int(dtype[3:]) // 8):
        yield "add {result}, {result}, t0"
    yield "slli t0, t0, 2"
    yield "add {sums}, {sums}, t0"
    yield "add {multiplier}, {multiplier}, t0"
    yield "bnez {columns}, 1b"


def _scaled(shift: int, dtype: str) -> Any:
    with prim_func(f"requantize_{shift}_{dtype}_meaning") as tir:
        columns = tir.dim("columns")
        sums = tir.tensor("sums", (columns,), "int32")
        multiplier = tir.tensor("multiplier", (columns,), "int32")
        result = tir.tensor("result", (columns,), dtype)
        with tir.loop("c", columns) as c:
            tir.store(result, c, requantize(sums[c], multiplier[c], shift, dtype))
    return tir.prim_func
