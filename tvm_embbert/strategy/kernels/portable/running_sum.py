"""Cumulative sum over the rows."""

from __future__ import annotations

from typing import Any

from tvm_embbert.strategy.kernels.arithmetic import widened
from tvm_embbert.strategy.kernels.tir import prim_func
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel
from tvm_embbert.strategy.registry import register_implementation


@register_implementation
class PortableRunningSum(Implementation):
    """One pass."""

    operator = "running_sum"
    isa = "portable"

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel for the input's type."""
        return Kernel(running_sum(call.tensors[0].dtype), (), dims={"rows": call.rows})


def running_sum(dtype: str) -> Any:
    """Return the PrimFunc."""
    with prim_func("running_sum") as tir:
        rows = tir.dim("rows")
        x = tir.tensor("x", (rows,), dtype)
        result = tir.tensor("result", (rows,), "int32")
        total = tir.local("total", "int32")
        tir.store(total, 0, 0)
        with tir.loop("i", rows) as i:
            value = x[i] if dtype == "int32" else widened(x[i])
            tir.accumulate(total, 0, value)
            tir.store(result, i, total[0])
    return tir.prim_func
