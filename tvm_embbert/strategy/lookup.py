"""An activation of one int8 tensor, as a table of 256 entries."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tvm_embbert import compat
from tvm_embbert.quantize import arithmetic
from tvm_embbert.quantize.quantizer import Quantizer
from tvm_embbert.strategy.operator import Array, IntegerCall, Match, Operator, Pattern
from tvm_embbert.strategy.patterns import anything, op
from tvm_embbert.strategy.registry import register_operator


def _sigmoid(x: float) -> float:
    return 0.5 * (1.0 + math.tanh(0.5 * x))


def _gelu(x: float) -> float:
    return 0.5 * x * (1.0 + math.erf(x / math.sqrt(2.0)))


FUNCTIONS: dict[str, Callable[[float], float]] = {
    "nn.silu": arithmetic.silu,
    "nn.gelu": _gelu,
    "nn.relu": lambda x: max(x, 0.0),
    "sigmoid": _sigmoid,
    "tanh": math.tanh,
}


@register_operator
class Lookup(Operator):
    """Arguments: x int8 (rows, channels), table int8 (256). Result int8 (rows, channels).

    Entry ``x + 128`` of the table is the result for x.
    """

    name = "lookup"
    causal_rows = True
    row_local = True

    def patterns(self) -> list[Pattern]:
        """Match each function that there is a definition of."""
        forms = []
        for name in FUNCTIONS:
            x = anything()
            forms.append((op(name, x), {"x": x}))
        return forms

    def inputs(self, match: Match) -> list[compat.Expr]:
        """Return x."""
        return [match.parts["x"]]

    def quantize(self, match: Match, quantizer: Quantizer) -> None:
        """Tabulate the function; its own range over the 256 inputs gives scale and zero point."""
        name = match.values[match.output].op.name.removeprefix("relax.")
        unit = quantizer.scale(match.parts["x"], "int8")
        symmetric = quantizer.is_symmetric(match)
        made = arithmetic.lookup_table(FUNCTIONS[name], unit, symmetric)
        x = quantizer.value(match.parts["x"]).expr
        quantizer.emit(match, [x, made.table], "int8", made.scale, made.zero_point)

    def reference(self, call: IntegerCall, args: Sequence[Any], rows: int) -> Array:
        """Index the table."""
        x, table = args
        result: Array = table[x[:rows].astype(np.int64) + 128]
        return result
