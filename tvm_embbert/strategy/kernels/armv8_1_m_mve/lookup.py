"""An activation as a table: sixteen loads at once, by the bytes themselves as unsigned indices."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import widened
from tvm_embbert.strategy.kernels.armv8_1_m_mve.assembly import assembly, intrinsic
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic, address
from tvm_embbert.strategy.kernels.tir import prim_func
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel
from tvm_embbert.strategy.registry import register_implementation


@register_implementation
class MveLookup(Implementation):
    """The table begins with the entry of 0 and ends with that of -1; any width will do."""

    operator = "lookup"
    isa = "armv8.1-m-mve"
    priority = 20

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel for the call's width."""
        x, table = call.args
        return Kernel(
            lookup(x.shape[-1]),
            (np.roll(table, 128),),
            dims={"rows": call.rows},
            in_place=x.name,
            intrinsics=(look_up(),),
        )


@cache
def look_up() -> Intrinsic:
    """Return the intrinsic: ``x`` int8 (count), ``table`` int8 (256), ``result``, ``count``.

    The result may be in the place of ``x``.
    """
    types = {
        "x": "const int8_t *",
        "table": "const int8_t *",
        "result": "int8_t *",
        "count": "int32_t",
    }
    lines = [
        "wlstp.8 lr, {count}, 2f",
        "1:",
        "vldrb.u8 q0, [{x}], #16",
        "vldrb.u8 q1, [{table}, q0]",
        "vstrb.8 q1, [{result}], #16",
        "letp lr, 1b",
        "2:",
    ]
    body = assembly(lines, ["x", "result"], {"table": "table", "count": "count"})
    with prim_func("look_up_meaning") as tir:
        count = tir.dim("count")
        x = tir.tensor("x", (count,), "int8")
        table = tir.tensor("table", (256,), "int8")
        result = tir.tensor("result", (count,), "int8")
        with tir.loop("i", count) as i:
            value = widened(x[i])
            tir.store(result, i, table[T.if_then_else(value < 0, value + 256, value)])
    name = "te_mve_look_up"
    return intrinsic(name, types, body, tir.prim_func, ("count",))


def lookup(channels: int) -> Any:
    """Return the PrimFunc."""
    with prim_func("lookup_mve") as tir:
        rows = tir.dim("rows")
        x = tir.tensor("x", (rows, channels), "int8")
        table = tir.tensor("table", (256,), "int8")
        result = tir.tensor("result", (rows, channels), "int8")
        elements = (address(x[0, 0]), address(table[0]), address(result[0, 0]))
        look_up()(*elements, rows * channels)
    return tir.prim_func
