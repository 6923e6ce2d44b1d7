"""Rows of a table picked by an index: an embedding. The table is int8 with one scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tvm_embbert import compat
from tvm_embbert.quantize.quantizer import Quantizer
from tvm_embbert.strategy.operator import Array, IntegerCall, Match, Operator, Pattern
from tvm_embbert.strategy.patterns import anything, constant, op
from tvm_embbert.strategy.registry import register_operator


@register_operator
class Gather(Operator):
    """Arguments: index int32 (rows), table int8 (entries, width). Result int8 (rows, width)."""

    name = "gather"
    causal_rows = True
    row_local = True

    def patterns(self) -> list[Pattern]:
        """Match ``take`` from a constant table."""
        table, index = constant(), anything()
        return [(op("take", table, index), {"table": table, "index": index})]

    def accepts(self, match: Match) -> bool:
        """Take whole rows of a matrix."""
        call = match.values[match.output]
        return match.constant("table").ndim == 2 and int(call.attrs.axis) == 0

    def inputs(self, match: Match) -> list[compat.Expr]:
        """Return the index."""
        return [match.parts["index"]]

    def quantize(self, match: Match, quantizer: Quantizer) -> None:
        """Quantise the whole table with one scale."""
        table, scale = quantize_table(match.constant("table"))
        index = quantizer.value(match.parts["index"], "int32").expr
        quantizer.emit(match, [index, table], "int8", scale)

    def reference(self, call: IntegerCall, args: Sequence[Any], rows: int) -> Array:
        """Index the table."""
        index, table = args
        result: Array = table[index[:rows]]
        return result


def quantize_table(table: Array) -> tuple[Array, float]:
    """Return a float table as int8, at most 127 in magnitude, and its unit."""
    unit = float(np.abs(table).max()) / 127 or 1.0
    return np.rint(table / unit).astype(np.int8), unit
