"""Attention of one head: ``softmax(q @ k.T + mask) @ v`` in integers.

The float graph has it as ``transform/defer_softmax_normalization.py`` leaves it, normalised after
the product with v, and the integers are in the same order. Each row is computed alone: int32
scores, exponentials from a table as 7-bit weights (not normalised), their sum, the weighted sum of
the values in int32, and one division a row. The matrix of scores never exists. A masked key has
weight 0, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
from tvm import relax

from tvm_embbert import compat
from tvm_embbert.quantize import arithmetic
from tvm_embbert.quantize.quantizer import Quantizer
from tvm_embbert.strategy.operator import Array, IntegerCall, Match, Operator, Pattern
from tvm_embbert.strategy.patterns import Part, anything, constant, op
from tvm_embbert.strategy.registry import register_operator
from tvm_embbert.transform.rewriter import Emitter

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
    takes = (
        "softmax over the last axis of a matrix of scores q @ k.T, which may be times a number and "
        f"hidden where a mask (keys) holds, by a constant below {MASKED_BELOW:g}; then @ v"
    )

    def patterns(self) -> list[Pattern]:
        """Match either context with and without a scale, with and without a mask."""
        return [_pattern(*form) for form in product(CONTEXTS, (True, False), (True, False))]

    def resembling(self) -> list[Any]:
        """Match either context of any scores."""
        return [context(anything(), anything())[0] for context in CONTEXTS]

    def accepts(self, match: Match) -> bool:
        """Take one head, and a mask over the keys that hides with a very negative constant."""
        hidden = "hidden" not in match.parts or _hides(match.constant("hidden", finite=False))
        scalar = "scale" not in match.parts or match.constant("scale").size == 1
        flat = "mask" not in match.parts or len(compat.shape_of(match.parts["mask"])) == 1
        return hidden and scalar and flat and _over_keys(match)

    def inputs(self, match: Match) -> list[compat.Expr]:
        """Return the queries, keys, values and the mask."""
        return [match.parts[n] for n in ("q", "k", "v", "mask") if n in match.parts]

    def observe(self, match: Match, emitter: Emitter) -> compat.Expr:
        """Normalise first, as the model does: its rounding, not the pass's, sets the scales."""
        scores, values = (emitter.lookup(match.parts[name]) for name in ("scores", "v"))
        weights = emitter.builder.emit(relax.op.nn.softmax(scores))
        return relax.op.matmul(weights, values)

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


def _deferred(scores: Part, v: Part) -> Pattern:
    """Match ``(e @ v) / sum(e)`` with ``e = exp(s - max(s))``."""
    largest = op("max", scores)
    weights = op("exp", op("subtract", scores, largest))
    total = op("sum", weights)
    steps = {"scores": scores, "largest": largest, "total": total}
    return op("divide", op("matmul", weights, v), total), steps


def _shared(scores: Part, v: Part) -> Pattern:
    """Match ``softmax(s) @ v``, which stays where the weights have other readers, too."""
    softmax = op("nn.softmax", scores)
    return op("matmul", softmax, v), {"scores": scores, "softmax": softmax}


CONTEXTS = (_deferred, _shared)
"""The forms of the context; their parts are the scores and what reduces them."""


def _pattern(context: Callable[[Part, Part], Pattern], scaled: bool, masked: bool) -> Pattern:
    q, k, v = anything(), anything(), anything()
    parts: dict[str, Part] = {"q": q, "k": k, "v": v}
    scores = op("matmul", q, op("permute_dims", k))
    if scaled:
        parts["scale"] = constant()
        scores = op("multiply", scores, parts["scale"])
    if masked:
        parts["mask"], parts["hidden"] = anything(), constant()
        scores = op("where", parts["mask"], parts["hidden"], scores)
    matched, steps = context(scores, v)
    return matched, parts | steps


def _hides(constant: Array) -> bool:
    return float(constant.max()) < MASKED_BELOW


def _over_keys(match: Match) -> bool:
    """Return whether what reduces a matrix of scores runs over its last axis, the keys."""
    names = [name for name in ("largest", "total", "softmax") if name in match.parts]
    return all(_is_by_row(match.producer(name)) for name in names)


def _is_by_row(call: compat.Expr) -> bool:
    axes = np.atleast_1d(call.attrs.axis).tolist()
    kept = bool(getattr(call.attrs, "keepdims", True))
    return len(compat.shape_of(call)) == 2 and kept and axes in ([-1], [1])


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
