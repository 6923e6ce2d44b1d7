"""Arithmetic on token ids and masks, element by element: comparisons and selections.

These tensors are integers in the float graph already; they are computed as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tvm_embbert import compat
from tvm_embbert.quantize.quantizer import Quantizer
from tvm_embbert.strategy.operator import Array, IntegerCall, Match, Operator, Pattern
from tvm_embbert.strategy.patterns import anything, op
from tvm_embbert.strategy.registry import register_operator

DTYPES = ("bool", "int32")
FUNCTIONS: dict[str, Callable[..., Array]] = {
    "equal": np.equal,
    "not_equal": np.not_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "where": np.where,
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
}
ARITY = {"where": 3}


@register_operator
class Elementwise(Operator):
    """Arguments: function, operands (bool or int32; a vector of rows, or a scalar constant)."""

    name = "elementwise"
    priority = 5
    causal_rows = True
    row_local = True

    def patterns(self) -> list[Pattern]:
        """Match each function that there is a definition of."""
        forms = []
        for name in FUNCTIONS:
            operands = [anything() for _ in range(ARITY.get(name, 2))]
            parts = {str(i): operand for i, operand in enumerate(operands)}
            forms.append((op(name, *operands), parts))
        return forms

    def accepts(self, match: Match) -> bool:
        """Take vectors of indices and masks, with vectors or scalars."""
        parts = match.parts.values()
        typed = all(compat.dtype_of(p) in DTYPES for p in [*parts, match.output])
        shapes = [compat.shape_of(p) for p in parts]
        out = compat.shape_of(match.output)
        return (
            typed
            and len(out) == 1
            and all(
                not s or compat.same_shape(s, out) or _is_one(p)
                for s, p in zip(shapes, parts, strict=True)
            )
        )

    def inputs(self, match: Match) -> list[compat.Expr]:
        """Return the operands that are not constant."""
        return [p for p in match.parts.values() if not compat.is_constant(p)]

    def quantize(self, match: Match, quantizer: Quantizer) -> None:
        """Pass the call on; scalar constants become attributes."""
        name = match.values[match.output].op.name.removeprefix("relax.")
        operands = [
            int(compat.value_of(p).item()) if compat.is_constant(p) else quantizer.value(p).expr
            for p in match.parts.values()
        ]
        dtype = compat.dtype_of(match.output)
        quantizer.emit(match, [name, *operands], dtype, None)

    def reference(self, call: IntegerCall, args: Sequence[Any], rows: int) -> Array:
        """Apply the NumPy function of the same name."""
        name, *operands = args
        values = [o[:rows] if isinstance(o, np.ndarray) else o for o in operands]
        return np.asarray(FUNCTIONS[name](*values)).astype(call.output.dtype)


def _is_one(part: compat.Expr) -> bool:
    return compat.is_constant(part) and compat.value_of(part).size == 1
