"""Leading rows of a tensor or of a table: they are where they are, so that nothing is computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tvm_embbert import compat
from tvm_embbert.quantize.quantizer import Quantized, Quantizer
from tvm_embbert.strategy.gather import quantize_table
from tvm_embbert.strategy.operator import Array, IntegerCall, Match, Operator, Pattern
from tvm_embbert.strategy.patterns import anything, constant, op
from tvm_embbert.strategy.registry import register_operator


@register_operator
class LeadingRows(Operator):
    """Stands for rows 0 to n - 1 of a run-time tensor; emits no call."""

    name = "leading_rows"

    def patterns(self) -> list[Pattern]:
        """Match ``strided_slice`` on rows."""
        x = anything()
        return [(op("strided_slice", x, anything(), anything(), anything()), {"x": x})]

    def accepts(self, match: Match) -> bool:
        """Take slices of axis 0 that begin at row 0."""
        _, axes, begin, _ = match.values[match.output].args
        return [int(a) for a in axes.fields] == [0] and [int(b) for b in begin.fields] == [0]

    def inputs(self, match: Match) -> list[compat.Expr]:
        """Return x."""
        return [match.parts["x"]]

    def quantize(self, match: Match, quantizer: Quantizer) -> None:
        """Let x itself stand for its leading rows."""
        quantizer.define(match, quantizer.value(match.parts["x"]))

    def reference(self, call: IntegerCall, args: Sequence[Any], rows: int) -> Array:
        """Return the rows."""
        result: Array = args[0][:rows]
        return result


@register_operator
class TableRows(LeadingRows):
    """Stands for the first rows of a constant table, such as position embeddings.

    Rows beyond the largest length are dropped.
    """

    name = "table_rows"
    priority = 20

    def patterns(self) -> list[Pattern]:
        """Match ``take(table, arange(0, n))``."""
        table, index = constant(), anything()
        return [(op("take", table, index), {"table": table, "index": index})]

    def accepts(self, match: Match) -> bool:
        """Take an index that counts from 0 in steps of 1."""
        producer = match.producer("index")
        if not compat.is_call(producer, "relax.arange"):
            return False
        start, _, step = producer.args
        return (int(start), int(step)) == (0, 1)

    def inputs(self, match: Match) -> list[compat.Expr]:
        """Return nothing: the table is constant."""
        return []

    def quantize(self, match: Match, quantizer: Quantizer) -> None:
        """Let the table's first rows stand for themselves."""
        rows = compat.shape_of(match.output)[0]
        count = rows if isinstance(rows, int) else max(quantizer.bounds.values())
        table, scale = quantize_table(match.constant("table")[:count])
        quantizer.define(match, Quantized(compat.constant(table), scale))
