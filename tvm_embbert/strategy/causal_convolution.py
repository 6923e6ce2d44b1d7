"""Causal depthwise convolution over rows: row i sees rows i - kernel + 1 to i, zeros before row 0.

Output channel o reads input channel ``o // multiplier``; the multiplier is outputs over inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tvm_embbert import compat
from tvm_embbert.quantize import arithmetic
from tvm_embbert.quantize.quantizer import Quantizer
from tvm_embbert.strategy.linear import quantize_rows
from tvm_embbert.strategy.operator import Array, IntegerCall, Match, Operator, Pattern
from tvm_embbert.strategy.patterns import anything, constant, op
from tvm_embbert.strategy.registry import register_operator


@register_operator
class CausalConvolution(Operator):
    """Arguments: x, weight (kernel, outputs), bias (outputs), multiplier (outputs), shift.

    x int8 (rows or more, inputs), weight int8, bias and multiplier int32; result int8 (rows,
    outputs).
    """

    name = "causal_convolution"
    priority = 20
    causal_rows = True
    row_local = True

    def patterns(self) -> list[Pattern]:
        """Match ``permute(squeeze(conv1d(expand(pad(permute(x))), w)) + b)``."""
        x, w, b = anything(), constant(), constant()
        padded = op("expand_dims", op("nn.pad", op("permute_dims", x)))
        convolved = op("squeeze", op("nn.conv1d", padded, w))
        parts = {"x": x, "w": w}
        return [
            (op("permute_dims", op("add", convolved, b)), {**parts, "b": b}),
            (op("permute_dims", convolved), parts),
        ]

    def accepts(self, match: Match) -> bool:
        """Take one group a channel, stride and dilation of one, and all padding in front."""
        channels = compat.shape_of(match.parts["x"])[-1]
        calls = {v.op.name: v for v in _chain(match)}
        conv = calls["relax.nn.conv1d"].attrs
        kernel = match.constant("w").shape[-1]
        plain = [int(conv.strides[0]), int(conv.dilation[0])] == [1, 1]
        bare = not any(int(p) for p in conv.padding)
        causal = compat.pads_in_front(calls["relax.nn.pad"], kernel - 1)
        return plain and bare and causal and int(conv.groups) == channels

    def inputs(self, match: Match) -> list[compat.Expr]:
        """Return x."""
        return [match.parts["x"]]

    def quantize(self, match: Match, quantizer: Quantizer) -> None:
        """Scale each output channel's kernel to int8."""
        unit_in = quantizer.scale(match.parts["x"], "int8")
        weight, unit = quantize_rows(match.constant("w")[:, 0].astype(np.float64) * unit_in)
        scale = quantizer.result_scale(match, "int8")
        requantization = arithmetic.requantization(unit / scale)
        bias = np.rint(_bias(match) / unit)
        largest = np.abs(weight.astype(np.int64)).sum(axis=1) * 128 + np.abs(bias)
        requantization.check(int(largest.max()), compat.var_name(match.output))
        with_offset = (bias + requantization.offset()).astype(np.int32)
        by_tap = np.ascontiguousarray(weight.T)
        constants = (by_tap, with_offset, requantization.multiplier, requantization.shift)
        x = quantizer.value(match.parts["x"]).expr
        quantizer.emit(match, [x, *constants], "int8", scale)

    def reference(self, call: IntegerCall, args: Sequence[Any], rows: int) -> Array:
        """Accumulate tap by tap over shifted rows."""
        x, weight, bias, multiplier, shift = args
        kernel, outputs = weight.shape
        wide = np.repeat(x[:rows].astype(np.int64), outputs // x.shape[1], axis=1)
        padded = np.concatenate([np.zeros((kernel - 1, outputs), np.int64), wide])
        accumulator = np.broadcast_to(bias.astype(np.int64), (rows, outputs)).copy()
        for tap in range(kernel):
            accumulator += padded[tap : tap + rows] * weight[tap]
        return arithmetic.requantize(accumulator, multiplier, shift, "int8")


def _bias(match: Match) -> Array:
    outputs = match.constant("w").shape[0]
    if "b" not in match.parts:
        return np.zeros(outputs)
    return match.constant("b").reshape(-1).astype(np.float64)


def _chain(match: Match) -> list[compat.Expr]:
    """Return the calls from the result back to x."""
    calls = [match.values[match.output]]
    while calls[-1].args[0] in match.values and not calls[-1].args[0].same_as(match.parts["x"]):
        calls.append(match.values[calls[-1].args[0]])
    return calls
