"""Causal depthwise convolution: two channels and four rows at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.armv7e_m_dsp.taps import (
    GROUP_ROWS,
    UNROLLED,
    neighbours,
    pairs_of,
    taps,
)
from tvm_embbert.strategy.kernels.armv7e_m_dsp.widen import ROWS
from tvm_embbert.strategy.kernels.intrinsic import address
from tvm_embbert.strategy.kernels.tir import prim_func
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.strategy.operator import Array, Implementation, IntegerCall, Kernel, Tensor
from tvm_embbert.strategy.registry import register_implementation


@register_implementation
class DspCausalConvolution(Implementation):
    """Needs a group of rows of two channels as scratch, in 16 bits."""

    operator = "causal_convolution"
    isa = "armv7e-m-dsp"
    priority = 10

    def reject(self, call: IntegerCall) -> str:
        """Take an even number of channels with one filter each."""
        inputs, outputs = call.args[0].shape[-1], call.output.shape[-1]
        if inputs != outputs:
            return f"{outputs} outputs of {inputs} channels"
        return f"{inputs} channels are not even" if int(inputs) % 2 else ""

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel; there are zero taps in front, up to a multiple of 8."""
        x, weight, bias, multiplier, shift = call.args
        laid = _interleave(weight)
        number = 2 * laid.shape[1]
        return Kernel(
            _convolution(int(x.shape[-1]), number, shift),
            (laid, bias, multiplier),
            scratch=(Tensor("pairs", (pairs_of(number), 2, 2), "int16"),),
            row_block=ROWS,
            dims={"rows": call.rows},
            window=weight.shape[0] - 1,
            intrinsics=(neighbours(), taps()),
        )


def _interleave(weight: Array) -> Array:
    """Lay out filters (taps, channels) as (channels / 2, taps / 2, 2, 2) int8, taps first."""
    number, channels = weight.shape
    full = np.pad(weight, ((-number % UNROLLED, 0), (0, 0)))
    return full.reshape(-1, 2, channels // 2, 2).transpose(2, 0, 1, 3).copy()


def _convolution(channels: int, number: int, shift: int) -> Any:
    with prim_func("causal_convolution_dsp") as tir:
        rows, before = tir.dim("rows"), tir.dim("before")
        x = tir.tensor("x", (before + rows, channels), "int8")
        weight = tir.tensor("weight", (channels // 2, number // 2, 2, 2), "int8")
        bias = tir.tensor("bias", (channels,), "int32")
        multiplier = tir.tensor("multiplier", (channels,), "int32")
        result = tir.tensor("result", (rows, channels), "int8")
        pairs = tir.tensor("pairs", (pairs_of(number), 2, 2), "int16")
        groups = T.truncdiv(rows + GROUP_ROWS - 1, GROUP_ROWS)
        to = address(pairs[0, 0, 0])
        with tir.loop("group", groups) as group, tir.loop("block", channels // 2) as block:
            first, channel = group * GROUP_ROWS, block * 2
            neighbours()(address(x[0, 0]), first, channel, to, number, before, rows, channels)
            taps()(
                to,
                address(weight[block, 0, 0, 0]),
                address(bias[channel]),
                address(multiplier[channel]),
                shift,
                address(result[first, channel]),
                number,
                T.min(rows - first, GROUP_ROWS),
                channels,
            )
    return tir.prim_func
