"""Rows of a table picked by an index."""

from __future__ import annotations

from typing import Any

from tvm_embbert.strategy.kernels.tir import prim_func
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel
from tvm_embbert.strategy.registry import register_implementation


@register_implementation
class PortableGather(Implementation):
    """Element by element. The index was checked against the table before anything ran."""

    operator = "gather"
    isa = "portable"

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel for the table's width."""
        _, table = call.args
        return Kernel(gather(table.shape), (table,), dims={"rows": call.rows})


def gather(form: tuple[int, int]) -> Any:
    """Return the PrimFunc for a table of the form (entries, width)."""
    _, width = form
    with prim_func("gather") as tir:
        rows = tir.dim("rows")
        index = tir.tensor("index", (rows,), "int32")
        table = tir.tensor("table", form, "int8")
        result = tir.tensor("result", (rows, width), "int8")
        with tir.loop("i", rows) as i, tir.loop("c", width) as c:
            tir.store(result, (i, c), table[index[i], c])
    return tir.prim_func
