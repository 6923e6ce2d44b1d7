"""Cumulative sum of a mask or of int32 over the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tvm_embbert import compat
from tvm_embbert.quantize.quantizer import Quantizer
from tvm_embbert.strategy.operator import Array, IntegerCall, Match, Operator, Pattern
from tvm_embbert.strategy.patterns import anything, op
from tvm_embbert.strategy.registry import register_operator


@register_operator
class RunningSum(Operator):
    """Arguments: x bool or int32 (rows). Result int32 (rows)."""

    name = "running_sum"
    causal_rows = True

    def patterns(self) -> list[Pattern]:
        """Match ``cumsum``, also of a mask that was cast to integers."""
        x = anything()
        cast = op("astype", x)
        return [(op("cumsum", cast), {"x": x}), (op("cumsum", x), {"x": x})]

    def accepts(self, match: Match) -> bool:
        """Take vectors, summed inclusively."""
        call = match.values[match.output]
        vector = len(compat.shape_of(match.output)) == 1
        return (
            vector
            and not call.attrs.exclusive
            and compat.dtype_of(match.parts["x"])
            in (
                "bool",
                "int32",
            )
        )

    def inputs(self, match: Match) -> list[compat.Expr]:
        """Return x."""
        return [match.parts["x"]]

    def quantize(self, match: Match, quantizer: Quantizer) -> None:
        """Pass the call on."""
        quantizer.emit(match, [quantizer.value(match.parts["x"]).expr], "int32", None)

    def reference(self, call: IntegerCall, args: Sequence[Any], rows: int) -> Array:
        """Sum."""
        return np.cumsum(args[0][:rows], dtype=np.int32)
