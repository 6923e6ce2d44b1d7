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
from tvm_embbert.strategy.kernels.armv7e_m_dsp.taps_known import KnownTaps, known_taps
from tvm_embbert.strategy.kernels.armv7e_m_dsp.widen import ROWS
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic, address
from tvm_embbert.strategy.kernels.tir import prim_func
from tvm_embbert.strategy.knobs import Config, Knob
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

    def knobs(self, call: IntegerCall) -> tuple[Knob, ...]:
        """Return the rows that share pairs, and the taps of a turn of a loop that knows sizes."""
        return (
            Knob("group", (4, 8, 12, GROUP_ROWS, 24, 32), GROUP_ROWS),
            Knob("turn", ("shared", 8, 16, 32), "shared"),
        )

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel; there are zero taps in front, up to a multiple of 8 or of a turn."""
        x, weight, bias, multiplier, shift = call.args
        group, turn = int(config["group"]), config["turn"]
        unroll = UNROLLED if turn == "shared" else min(int(turn), _filled_up(len(weight), UNROLLED))
        laid = _interleave(weight, unroll)
        number, channels = 2 * laid.shape[1], int(x.shape[-1])
        known = known_taps(KnownTaps(number, channels, shift, unroll), group)
        intrinsics = neighbours(group), taps(group) if turn == "shared" else known
        return Kernel(
            _convolution(channels, number, shift, group, intrinsics),
            (laid, bias, multiplier),
            scratch=(Tensor("pairs", (pairs_of(number, group), 2, 2), "int16"),),
            row_block=ROWS,
            dims={"rows": call.rows},
            window=weight.shape[0] - 1,
            intrinsics=intrinsics,
        )


def _filled_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def _interleave(weight: Array, unroll: int) -> Array:
    """Lay out filters (taps, channels) as (channels / 2, taps / 2, 2, 2) int8, taps first."""
    number, channels = weight.shape
    full = np.pad(weight, ((-number % unroll, 0), (0, 0)))
    return full.reshape(-1, 2, channels // 2, 2).transpose(2, 0, 1, 3).copy()


def _convolution(
    channels: int, number: int, shift: int, shared: int, intrinsics: tuple[Intrinsic, Intrinsic]
) -> Any:
    pair, multiply = intrinsics
    with prim_func("causal_convolution_dsp") as tir:
        rows, before = tir.dim("rows"), tir.dim("before")
        x = tir.tensor("x", (before + rows, channels), "int8")
        weight = tir.tensor("weight", (channels // 2, number // 2, 2, 2), "int8")
        bias = tir.tensor("bias", (channels,), "int32")
        multiplier = tir.tensor("multiplier", (channels,), "int32")
        result = tir.tensor("result", (rows, channels), "int8")
        pairs = tir.tensor("pairs", (pairs_of(number, shared), 2, 2), "int16")
        groups = T.truncdiv(rows + shared - 1, shared)
        to = address(pairs[0, 0, 0])
        with tir.loop("group", groups) as group, tir.loop("block", channels // 2) as block:
            first, channel = group * shared, block * 2
            pair(address(x[0, 0]), first, channel, to, number, before, rows, channels)
            multiply(
                to,
                address(weight[block, 0, 0, 0]),
                address(bias[channel]),
                address(multiplier[channel]),
                shift,
                address(result[first, channel]),
                number,
                T.min(rows - first, shared),
                channels,
            )
    return tir.prim_func
