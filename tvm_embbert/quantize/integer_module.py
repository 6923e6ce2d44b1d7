"""The integer module: Relax that holds nothing but integer calls, and what is read from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tvm_embbert import compat
from tvm_embbert.errors import UnsupportedOperatorError
from tvm_embbert.quantize.quantizer import PREFIX
from tvm_embbert.strategy import registry
from tvm_embbert.strategy.operator import Dim, IntegerCall, Tensor

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class IntegerModule:
    """A model in integer arithmetic.

    Attributes
    ----------
    mod : IRModule
        ``main`` maps token ids, int32 (n), to int16 logits.
    scales : dict
        Real value of one unit of each numeric tensor, by its name.
    pad_token : int or None
        Id whose trailing repetitions do not change the result, which therefore need not be
        computed; None where that is not so.
    """

    mod: compat.Module
    scales: dict[str, float]
    pad_token: int | None = None

    def show(self) -> None:
        """Print the module as TVMScript."""
        self.mod.show()

    @property
    def max_length(self) -> int:
        """Return the longest input, in tokens."""
        return max(compat.upper_bounds(self.mod[compat.MAIN]).values())

    @cached_property
    def input(self) -> Tensor:
        """Return the token ids."""
        return _tensor(self.mod[compat.MAIN].params[0])

    @cached_property
    def calls(self) -> list[IntegerCall]:
        """Return the calls in order."""
        return [_call(b) for b in compat.bindings(self.mod[compat.MAIN]) if _is_packed(b)]

    @property
    def result(self) -> Tensor:
        """Return the logits' tensor: the result of the last call."""
        return self.calls[-1].output

    def check_type(self) -> None:
        """Raise :class:`UnsupportedOperatorError` unless the result is of 16 bits."""
        if self.result.dtype != "int16":
            raise self._unsupported_result()

    def check_result(self) -> None:
        """Raise :class:`UnsupportedOperatorError` unless there is a fixed number of logits."""
        self.check_type()
        if any(isinstance(d, str) for d in self.result.shape):
            raise self._unsupported_result()

    def _unsupported_result(self) -> UnsupportedOperatorError:
        result = self.result
        return UnsupportedOperatorError(
            f"The model's result has the shape {result.shape} and the type {result.dtype}.",
            where=result.name,
            supported="a fixed number of int16 logits, as a linear layer on one row gives",
        )

    @property
    def logit_scale(self) -> float:
        """Return the real value of one unit of the logits."""
        return self.scales[self.result.name]

    def trim(self, ids: Array) -> Array:
        """Drop trailing padding."""
        if self.pad_token is None:
            return ids
        kept = np.flatnonzero(ids != self.pad_token)
        return ids[: kept[-1] + 1] if len(kept) else ids[:0]

    def run(self, ids: Any) -> Array:
        """Compute the logits in NumPy: the integer reference.

        Parameters
        ----------
        ids : sequence of int
            Token ids, 1 to ``max_length`` of them.

        Returns
        -------
        int16 array (labels)
        """
        return self.values(ids)[self.result.name].reshape(-1)

    def values(self, ids: Any) -> dict[str, Array]:
        """Compute the logits as :meth:`run` does; returns the input and all results by name."""
        trimmed = self.trim(np.asarray(ids, np.int32))
        values: dict[str, Array] = {self.input.name: trimmed}
        for call in self.calls:
            args = [values[a.name] if isinstance(a, Tensor) else a for a in call.args]
            rows = len(trimmed) if isinstance(call.rows, str) else call.rows
            operator = registry.operator(call.operator)
            values[call.output.name] = operator.reference(call, args, rows)
        return values


def _is_packed(binding: Any) -> bool:
    return compat.packed_name(binding.value).startswith(PREFIX)


def _call(binding: Any) -> IntegerCall:
    name = compat.packed_name(binding.value).removeprefix(PREFIX)
    args = tuple(_argument(a) for a in binding.value.args[1:])
    output = _tensor(binding.var)
    return IntegerCall(name, output.name, args, output)


def _argument(expr: compat.Expr) -> Any:
    if compat.is_constant(expr):
        return compat.value_of(expr)
    if compat.has_shape(expr):
        return _tensor(expr)
    return compat.attribute(expr)


def _tensor(var: compat.Expr) -> Tensor:
    shape: tuple[Dim, ...] = tuple(
        d if isinstance(d, int) else str(d) for d in compat.shape_of(var)
    )
    return Tensor(compat.var_name(var), shape, compat.dtype_of(var))
