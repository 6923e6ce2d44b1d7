"""Causal depthwise convolution: a tile of channels at a time; taps before row 0 are left out."""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import requantize, tile_of, widened
from tvm_embbert.strategy.kernels.tir import prim_func
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel
from tvm_embbert.strategy.registry import register_implementation


@register_implementation
class PortableCausalConvolution(Implementation):
    """Reads the input in place: there is no padded copy."""

    operator = "causal_convolution"
    isa = "portable"

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel for the call's channels, taps and shift."""
        x, weight, bias, multiplier, shift = call.args
        made = causal_convolution(x.shape[-1], weight.shape, shift)
        window = weight.shape[0] - 1
        return Kernel(made, (weight, bias, multiplier), dims={"rows": call.rows}, window=window)


def causal_convolution(inputs: int, form: tuple[int, int], shift: int) -> Any:
    """Return the PrimFunc for a weight of the form (taps, outputs)."""
    taps, outputs = form
    tile, copies = tile_of(outputs), outputs // inputs
    with prim_func("causal_convolution") as tir:
        rows, before = tir.dim("rows"), tir.dim("before")
        x = tir.tensor("x", (before + rows, inputs), "int8")
        weight = tir.tensor("weight", (taps, outputs), "int8")
        bias = tir.tensor("bias", (outputs,), "int32")
        multiplier = tir.tensor("multiplier", (outputs,), "int32")
        result = tir.tensor("result", (rows, outputs), "int8")
        sums = tir.local("sums", "int32", tile)
        with tir.loop("i", rows) as i, tir.loop("block", outputs // tile) as block:
            first = block * tile
            with tir.unrolled(tile) as u:
                tir.store(sums, u, bias[first + u])
            with tir.loop("t", T.min(before + i + 1, taps)) as t, tir.unrolled(tile) as u:
                channel = T.truncdiv(first + u, copies)
                tap = widened(weight[taps - 1 - t, first + u])
                tir.accumulate(sums, u, widened(x[before + i - t, channel]) * tap)
            with tir.unrolled(tile) as u:
                scaled = requantize(sums[u], multiplier[first + u], shift, "int8")
                tir.store(result, (i, first + u), scaled)
    return tir.prim_func
