"""Linear projection: ``y = concat(x0, x1, ...) @ W + b``, one scale an output channel.

The inputs stay where they are: each has its own columns of the weight matrix. The bias may be
picked from a table by an index a row, as a segment embedding is. Accumulates in int32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tvm_embbert import compat
from tvm_embbert.quantize import arithmetic
from tvm_embbert.quantize.quantizer import Quantizer
from tvm_embbert.strategy.operator import Array, IntegerCall, Match, Operator, Pattern
from tvm_embbert.strategy.patterns import anything, constant, op
from tvm_embbert.strategy.registry import register_operator

INPUTS = ("int8", "int16")


@register_operator
class Linear(Operator):
    """Arguments: inputs, [index], weight (outputs, inputs), bias, multiplier (outputs), shift.

    weight int8; bias int32 (outputs), or (indices, outputs) when an index int32 (rows) is given;
    inputs int8 or int16 (rows or more, inputs_i); result int8 or int16 (rows, outputs).
    """

    name = "linear"
    wide_at_the_end = ("x",)
    takes_zero_points = True
    causal_rows = True
    row_local = True

    def patterns(self) -> list[Pattern]:
        """Match a product with a constant matrix, and what is added to it."""
        x, w, b, table, index = anything(), constant(), constant(), constant(), anything()
        product = op("matmul", x, w)
        biased = op("add", product, b)
        picked = op("take", table, index)
        pick = {"table": table, "index": index}
        return [
            (op("add", biased, picked), {"x": x, "w": w, "b": b, **pick}),
            (op("add", product, picked), {"x": x, "w": w, **pick}),
            (biased, {"x": x, "w": w, "b": b}),
            (product, {"x": x, "w": w}),
        ]

    def accepts(self, match: Match) -> bool:
        """Take a matrix (inputs, outputs) and a bias over the outputs."""
        flat = "b" not in match.parts or match.constant("b").ndim <= 1
        return match.constant("w").ndim == 2 and flat

    def inputs(self, match: Match) -> list[compat.Expr]:
        """Return the inputs, of a concatenation each part, and the index."""
        index = [match.parts["index"]] if "index" in match.parts else []
        return [*_columns(match), *index]

    def quantize(self, match: Match, quantizer: Quantizer) -> None:
        """Scale each input's columns by its unit, then each output's row to int8."""
        inputs = _columns(match)
        scales = [quantizer.scale(x, *INPUTS, zero_point=True) for x in inputs]
        widths = [compat.shape_of(x)[-1] for x in inputs]
        columns = np.repeat(scales, widths)
        weight, unit = quantize_rows(match.constant("w").T.astype(np.float64) * columns)
        dtype = quantizer.result_dtype(match)
        scale = quantizer.result_scale(match, dtype)
        requantization = arithmetic.requantization(unit / scale)
        zeros = np.repeat([quantizer.value(x).zero_point for x in inputs], widths)
        bias = np.rint(_bias(match) / unit) - weight.astype(np.int64) @ zeros
        _check(requantization, weight, bias, quantizer, match)
        args = [quantizer.value(x).expr for x in inputs]
        if "index" in match.parts:
            args.append(quantizer.value(match.parts["index"], "int32").expr)
        with_offset = (bias + requantization.offset()).astype(np.int32)
        constants = (weight, with_offset, requantization.multiplier, requantization.shift)
        quantizer.emit(match, [*args, *constants], dtype, scale)

    def reference(self, call: IntegerCall, args: Sequence[Any], rows: int) -> Array:
        """Multiply in float64, which is exact for these integers."""
        *tensors, weight, bias, multiplier, shift = args
        if bias.ndim == 2:
            bias = bias[tensors.pop()[:rows]]
        x = np.concatenate([t[:rows] for t in tensors], axis=-1)
        product = x.astype(np.float64) @ weight.T.astype(np.float64)
        accumulator = product.astype(np.int64) + bias
        return arithmetic.requantize(accumulator, multiplier, shift, call.output.dtype)


def factors(call: IntegerCall) -> list[Any]:
    """Return tensors and constants to multiply, without the index."""
    *inputs, _, bias, _, _ = call.args
    return inputs[:-1] if bias.ndim == 2 else inputs


def quantize_rows(weight: Array) -> tuple[Array, Array]:
    """Return int8 weights, at most 127 in magnitude, and the unit of each row."""
    largest = np.abs(weight).reshape(weight.shape[0], -1).max(axis=1)
    unit = np.where(largest > 0, largest, 1.0) / 127
    shape = (-1,) + (1,) * (weight.ndim - 1)
    return np.rint(weight / unit.reshape(shape)).astype(np.int8), unit


def _columns(match: Match) -> list[compat.Expr]:
    producer = match.producer("x")
    if compat.is_call(producer, "relax.concat"):
        return list(producer.args[0].fields)
    return [match.parts["x"]]


def _bias(match: Match) -> Array:
    outputs = match.constant("w").shape[1]
    bias = match.constant("b") if "b" in match.parts else np.zeros(outputs)
    if "table" in match.parts:
        bias = match.constant("table") + bias
    return np.asarray(np.broadcast_to(bias, (*bias.shape[:-1], outputs)), np.float64)


def _check(
    requantization: arithmetic.Requantization,
    weight: Array,
    bias: Array,
    quantizer: Quantizer,
    match: Match,
) -> None:
    limits = [int(np.iinfo(quantizer.value(x).dtype).max) + 1 for x in _columns(match)]
    widths = [compat.shape_of(x)[-1] for x in _columns(match)]
    magnitude = np.abs(weight.astype(np.int64)) @ np.repeat(limits, widths)
    largest = int((magnitude + np.abs(bias)).max())
    requantization.check(largest, compat.var_name(match.output))
