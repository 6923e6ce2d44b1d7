"""An activation as a table: an indexed load; the result may take the input's place."""

from __future__ import annotations

from functools import cache
from typing import Any

from tvm_embbert.strategy.kernels.arithmetic import widened
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic, address
from tvm_embbert.strategy.kernels.rv32_zve32x.assembly import assembly, intrinsic
from tvm_embbert.strategy.kernels.tir import prim_func
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel
from tvm_embbert.strategy.registry import register_implementation

_STEPS = (
    "1:",
    "vsetvli t0, {size}, e8, m8, ta, ma",
    "vle8.v v0, ({x})",
    "vxor.vx v0, v0, {sign}",
    "vluxei8.v v8, ({table}), v0",
    "vse8.v v8, ({result})",
    "add {x}, {x}, t0",
    "add {result}, {result}, t0",
    "sub {size}, {size}, t0",
    "bnez {size}, 1b",
)
"""To turn the sign over is to add 128."""


@register_implementation
class RvvLookup(Implementation):
    """All rows at once."""

    operator = "lookup"
    isa = "rv32-zve32x"
    priority = 20

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel for the call's width."""
        x, table = call.args
        return Kernel(
            lookup(x.shape[-1]),
            (table,),
            dims={"rows": call.rows},
            in_place=call.tensors[0].name,
            intrinsics=(look_up(),),
        )


def lookup(channels: int) -> Any:
    """Return the PrimFunc."""
    with prim_func("lookup_rvv") as tir:
        rows = tir.dim("rows")
        x = tir.tensor("x", (rows, channels), "int8")
        table = tir.tensor("table", (256,), "int8")
        result = tir.tensor("result", (rows, channels), "int8")
        with tir.when(rows > 0):
            places = (address(t) for t in (x[0, 0], table[0], result[0, 0]))
            look_up()(*places, rows * channels)
    return tir.prim_func


@cache
def look_up() -> Intrinsic:
    """Return the intrinsic that replaces bytes by entries of a table.

    Parameters: ``x`` int8 (size), ``table`` int8 (256), ``result`` int8 (size), which may be ``x``;
    ``size``, at least 1.
    """
    pointers = dict.fromkeys(("x", "table"), "const int8_t *")
    types = {**pointers, "result": "int8_t *", "size": "int32_t"}
    body = assembly(_STEPS, ["x", "result", "size"], {"table": "table", "sign": "128"})
    with prim_func("look_up_meaning") as tir:
        size = tir.dim("size")
        x, table = tir.tensor("x", (size,), "int8"), tir.tensor("table", (256,), "int8")
        result = tir.tensor("result", (size,), "int8")
        with tir.loop("i", size) as i:
            tir.store(result, i, table[widened(x[i]) + 128])
    name = "te_rvv_look_up"
    return intrinsic(name, types, body, tir.prim_func, ("size",))
