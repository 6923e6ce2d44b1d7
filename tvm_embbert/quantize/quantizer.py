"""Rewrite the float graph into integer Relax: each match becomes one call of integer arithmetic.

The result reads as Relax: ``R.call_pure_packed("tvm_embbert.linear", x, weight, ...)``. Scales are
symmetric and one a tensor, but for weights, which have one an output channel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm import relax

from tvm_embbert import compat
from tvm_embbert.errors import InputError, UnsupportedOperatorError
from tvm_embbert.quantize.calibrate import Range
from tvm_embbert.strategy.operator import Match

PREFIX = "tvm_embbert."
HEADROOM = 2.0
"""How far beyond the calibrated range 16 bits reach: they have room to spare."""


@dataclass(frozen=True)
class Quantized:
    """An integer tensor: value q stands for ``(q - zero_point) * scale``.

    The scale is None for indices and masks. Only operators with ``takes_zero_points`` read tensors
    whose zero point is not 0: :mod:`tvm_embbert.strategy.linear` folds them into its bias.
    """

    expr: compat.Expr
    scale: float | None
    zero_point: int = 0

    @property
    def dtype(self) -> str:
        """Return the element type."""
        return compat.dtype_of(self.expr)


class Quantizer:
    """What an operator's ``quantize`` works with."""

    def __init__(
        self, func: compat.Expr, matches: Sequence[Match], ranges: Mapping[compat.Expr, Range]
    ) -> None:
        self.builder = relax.BlockBuilder()
        self.bounds = compat.upper_bounds(func)
        self._ranges = ranges
        self._wide = _wide_variables(func, matches)
        self._symmetric = _symmetric_variables(func, matches)
        self._aliases = compat.values_of(func)
        self._values = {p: Quantized(p, None) for p in func.params}
        self._counts: Counter[str] = Counter()
        self.scales: dict[str, float] = {}

    def value(self, expr: compat.Expr, *dtypes: str) -> Quantized:
        """Return the integer tensor that stands for a float one.

        Raises
        ------
        UnsupportedOperatorError
            Its type is none of `dtypes` (where any are given).
        """
        while expr not in self._values:
            expr = self._aliases[expr]
        found = self._values[expr]
        if dtypes and found.dtype not in dtypes:
            raise UnsupportedOperatorError(
                f"A tensor is {found.dtype} where {' or '.join(dtypes)} is needed.",
                where=compat.var_name(expr),
                supported="16-bit tensors as input of rms_norm and linear",
            )
        return found

    def scale(self, expr: compat.Expr, *dtypes: str, zero_point: bool = False) -> float:
        """Return the scale of a tensor, which must be of one of `dtypes`.

        `zero_point` says that the reader takes zero points other than 0.
        """
        found = self.value(expr, *dtypes)
        if found.scale is None or (found.zero_point and not zero_point):
            kind = "Indices or a mask are" if found.scale is None else "A tensor with an offset is"
            raise UnsupportedOperatorError(
                f"{kind} used as symmetric numbers.",
                where=compat.var_name(expr),
                supported="activations from a table as input of linear",
            )
        return found.scale

    def result_dtype(self, match: Match) -> str:
        """Return int16 where a reader wants the match's result wide, else int8."""
        return "int16" if match.output in self._wide else "int8"

    def is_symmetric(self, match: Match) -> bool:
        """Return whether a reader of the match's result takes no zero point other than 0."""
        return match.output in self._symmetric

    def result_scale(self, match: Match, dtype: str) -> float:
        """Return the scale of a match's result, from the calibrated range."""
        found = self._ranges[match.output]
        if not np.isfinite(found.largest):
            raise InputError(
                "The model computes values that are not finite on the calibration text.",
                where=compat.var_name(match.output),
                hint="Check the checkpoint.",
            )
        reach = found.clip if dtype == "int8" else found.largest * HEADROOM
        return max(reach, 1e-9) / float(np.iinfo(dtype).max)

    def emit(
        self,
        match: Match,
        args: Sequence[Any],
        dtype: str,
        scale: float | None,
        zero_point: int = 0,
    ) -> None:
        """Emit the integer call for a match; its result has the shape of the float one.

        `args` are Relax expressions, arrays (constants), integers or strings.
        """
        name = match.operator.name
        label = f"{name}_{self._counts[name]}"
        self._counts[name] += 1
        out = compat.tensor_type(match.output.ty.shape, dtype)
        call = relax.call_pure_packed(PREFIX + name, *map(_argument, args), ty_args=out)
        variable = self.builder.emit(call, label)
        self.define(match, Quantized(variable, scale, zero_point))

    def define(self, match: Match, value: Quantized) -> None:
        """Let an existing tensor stand for a match's result."""
        self._values[match.output] = value
        expr, scale = value.expr, value.scale
        if scale is not None and not compat.is_constant(expr):
            self.scales[compat.var_name(expr)] = scale


def _argument(value: Any) -> compat.Expr:
    if isinstance(value, np.ndarray):
        return compat.constant(value)
    return compat.literal(value) if isinstance(value, int | str) else value


def _wide_variables(func: compat.Expr, matches: Sequence[Match]) -> set[compat.Expr]:
    """Return the variables that are kept in 16 bits: the result, and what is wanted wide."""
    result = compat.resolved(compat.result_of(func), compat.values_of(func))
    wide = {result}
    for match in matches:
        parts = match.operator.wide_inputs
        if match.output.same_as(result):
            parts = (*parts, *match.operator.wide_at_the_end)
        wide |= {match.parts[part] for part in parts}
    return wide


def _symmetric_variables(func: compat.Expr, matches: Sequence[Match]) -> set[compat.Expr]:
    """Return the variables that some reader wants without a zero point."""
    values = compat.values_of(func)
    strict = [m for m in matches if not m.operator.takes_zero_points]
    return {compat.resolved(v, values) for m in strict for v in m.operator.inputs(m)}
