"""Attention of one head: ``softmax(q @ k.T + mask) @ v`` in integers.

Each row is computed alone: int32 scores, exponentials from a table as 7-bit weights (not
normalised), their sum, the weighted sum of the values in int32, and one division a row. The matrix
of scores never exists. A masked key has weight 0, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tvm_embbert import compat
from tvm_embbert.quantize import arithmetic
from tvm_embbert.quantize.quantizer import Quantizer
from tvm_embbert.strategy.operator import Array, IntegerCall, Match, Operator, Pattern
from tvm_embbert.strategy.patterns import Part, anything, constant, op
from tvm_embbert.strategy.registry import register_operator

MASKED_BELOW = -1e4
"""A constant below this masks a key: it stands for minus infinity."""


@register_operator
class Attention(Operator):
    """Arguments: q, k, v, [mask], table, multiplier, shift, numerator, context shift.

    q int8 (rows, width), k and v int8 (keys, width), mask bool (keys), true where a key is hidden;
    table int8 (256) of exponentials; result int8 (rows, width).
    """

    name = "attention"
    priority = 30
    row_local = True

    def patterns(self) -> list[Pattern]:
        """Match with and without a scale, with and without a mask."""
        return [_pattern(scaled, masked) for scaled in (True, False) for masked in (True, False)]

    def accepts(self, match: Match) -> bool:
        """Take one head, and a mask over the keys that hides with a very negative constant."""
        hidden = "hidden" not in match.parts or _hides(match.constant("hidden", finite=False))
        scalar = "scale" not in match.parts or match.constant("scale").size == 1
        flat = "mask" not in match.parts or len(compat.shape_of(match.parts["mask"])) == 1
        return hidden and scalar and flat and _over_keys(match)

    def inputs(self, match: Match) -> list[compat.Expr]:
        """Return the queries, keys, values and the mask."""
        return [match.parts[n] for n in ("q", "k", "v", "mask") if n in match.parts]

    def quantize(self, match: Match, quantizer: Quantizer) -> None:
        """Bring scores to steps of the table, and contexts to their calibrated scale."""
        names = ("q", "k", "v")
        q_scale, k_scale, v_scale = (quantizer.scale(match.parts[n], "int8") for n in names)
        factor = float(match.constant("scale")) if "scale" in match.parts else 1.0
        steps = arithmetic.requantization(q_scale * k_scale * factor / arithmetic.EXP_STEP)
        scale = quantizer.result_scale(match, "int8")
        context = arithmetic.reciprocal(v_scale / scale)
        _check(match, steps, context, quantizer)
        args: list[Any] = [quantizer.value(expr).expr for expr in self.inputs(match)]
        args += [arithmetic.exponential_table(), int(steps.multiplier[0]), steps.shift]
        quantizer.emit(match, [*args, context.numerator, context.shift], "int8", scale)

    def reference(self, call: IntegerCall, args: Sequence[Any], rows: int) -> Array:
        """Compute all rows at once."""
        *tensors, table, multiplier, shift, numerator, context_shift = args
        q, k, v = (np.asarray(t, np.float64) for t in tensors[:3])
        hidden = tensors[3] if len(tensors) == 4 else np.zeros(len(k), bool)
        scores = (q[:rows] @ k.T).astype(np.int64)
        top = np.where(hidden, -(2**31), scores).max(axis=-1, keepdims=True)
        weights = exponentials(np.maximum(top - scores, 0), table, multiplier, shift)
        weights = np.where(hidden, 0, weights)
        sums = np.maximum(weights.sum(axis=-1, keepdims=True), 1)
        inverse = numerator // sums
        context = (weights.astype(np.float64) @ v).astype(np.int64)
        context += arithmetic.rounding_offset(inverse, context_shift)
        return arithmetic.requantize(context, inverse, context_shift, "int8")


def exponentials(distance: Array, table: Array, multiplier: int, shift: int) -> Array:
    """Return the weights of keys whose scores are `distance` below the row's largest; int64."""
    requantization = arithmetic.Requantization(np.array([multiplier], np.int32), shift)
    limit = distance_limit(multiplier, shift)
    shifted = (np.minimum(distance, limit) + int(requantization.offset()[0])) << shift
    index = np.minimum(arithmetic.multiply_high(shifted, requantization.multiplier), 255)
    weights: Array = table.astype(np.int64)[index]
    return weights


def distance_limit(multiplier: int, shift: int) -> int:
    """Return a distance at which the table's last entry is reached: beyond it nothing changes.

    Limiting the distance first keeps ``distance << shift`` within 32 bits.
    """
    unit = max(1, multiplier)
    return min((256 << 32) // (unit << shift) + 1, (2**30 >> shift) - 1)


def _pattern(scaled: bool, masked: bool) -> Pattern:
    q, k, v = anything(), anything(), anything()
    parts: dict[str, Part] = {"q": q, "k": k, "v": v}
    scores = op("matmul", q, op("permute_dims", k))
    if scaled:
        parts["scale"] = constant()
        scores = op("multiply", scores, parts["scale"])
    if masked:
        parts["mask"], parts["hidden"] = anything(), constant()
        scores = op("where", parts["mask"], parts["hidden"], scores)
    return op("matmul", op("nn.softmax", scores), v), parts


def _hides(constant: Array) -> bool:
    return float(constant.max()) < MASKED_BELOW


def _over_keys(match: Match) -> bool:
    """Return whether the softmax of a matrix of scores runs over its last axis, the keys."""
    softmax = match.values[match.values[match.output].args[0]]
    return len(compat.shape_of(softmax)) == 2 and int(softmax.attrs.axis) in (-1, 1)


def _check(
    match: Match,
    steps: arithmetic.Requantization,
    context: arithmetic.Reciprocal,
    quantizer: Quantizer,
) -> None:
    where = compat.var_name(match.output)
    keys = compat.shape_of(match.parts["k"])[0]
    longest = keys if isinstance(keys, int) else max(quantizer.bounds.values())
    largest = arithmetic.EXP_ONE * longest
    smallest = context.numerator // largest
    inverse = np.array([max(1, smallest)], np.int32)
    arithmetic.Requantization(inverse, context.shift).check(largest * 128, where)
    distance = distance_limit(int(steps.multiplier[0]), steps.shift)
    steps.check(distance, where)
