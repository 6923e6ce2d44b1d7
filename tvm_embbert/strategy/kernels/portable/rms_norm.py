"""RMSNorm: a pass for the sum of squares in 64 bits, one square root a row, a pass to scale."""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import call as arithmetic
from tvm_embbert.strategy.kernels.arithmetic import saturate, widened
from tvm_embbert.strategy.kernels.tir import prim_func
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel
from tvm_embbert.strategy.registry import register_implementation


@register_implementation
class PortableRMSNorm(Implementation):
    """One kernel for all calls of the same width; what calibration decides is passed to it."""

    operator = "rms_norm"
    isa = "portable"

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel; epsilon, gain and shift are scalars."""
        tensor, *scalars = call.args
        prim_func = rms_norm(tensor.shape[-1])
        return Kernel(prim_func, (), scalars=tuple(scalars), dims={"rows": call.rows})


def rms_norm(channels: int) -> Any:
    """Return the PrimFunc over rows of `channels` int16 elements."""
    with prim_func("rms_norm") as tir:
        rows = tir.dim("rows")
        x = tir.tensor("x", (rows, channels), "int16")
        epsilon = tir.scalar("epsilon", "int64")
        gain, shift = tir.scalar("gain"), tir.scalar("shift")
        result = tir.tensor("result", (rows, channels), "int8")
        squares = tir.local("squares", "int64")
        scale, bits = tir.local("scale", "int32"), tir.local("bits", "int32")
        with tir.loop("i", rows) as i:
            tir.store(squares, 0, epsilon)
            with tir.loop("c", channels) as c:
                square = widened(x[i, c]) * widened(x[i, c])
                tir.accumulate(squares, 0, T.Cast("int64", square))
            tir.store(scale, 0, arithmetic("int32", "norm_multiplier", squares[0], gain))
            tir.store(bits, 0, arithmetic("int32", "norm_shift", squares[0], shift))
            with tir.loop("c", channels) as c:
                scaled = arithmetic("int32", "round_shift", widened(x[i, c]) * scale[0], bits[0])
                tir.store(result, (i, c), saturate(scaled, "int8"))
    return tir.prim_func
