"""An activation as a table: one load an element; the result may take the input's place."""

from __future__ import annotations

from typing import Any

from tvm_embbert.strategy.kernels.arithmetic import widened
from tvm_embbert.strategy.kernels.tir import prim_func
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel
from tvm_embbert.strategy.registry import register_implementation


@register_implementation
class PortableLookup(Implementation):
    """Element by element."""

    operator = "lookup"
    isa = "portable"

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel for the call's width."""
        x, table = call.args
        return Kernel(
            lookup(x.shape[-1]), (table,), dims={"rows": call.rows}, in_place=call.tensors[0].name
        )


def lookup(channels: int) -> Any:
    """Return the PrimFunc."""
    with prim_func("lookup") as tir:
        rows = tir.dim("rows")
        x = tir.tensor("x", (rows, channels), "int8")
        table = tir.tensor("table", (256,), "int8")
        result = tir.tensor("result", (rows, channels), "int8")
        with tir.loop("i", rows) as i, tir.loop("c", channels) as c:
            tir.store(result, (i, c), table[widened(x[i, c]) + 128])
    return tir.prim_func
