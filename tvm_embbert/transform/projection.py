"""A linear projection, ``x @ W + b`` with constant W and b, as the algebra passes see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tvm import relax

from tvm_embbert import compat
from tvm_embbert.transform.rewriter import Emitter

Array = NDArray[Any]


@dataclass(frozen=True)
class Projection:
    """``input @ weight + bias``: weight float32 (inputs, outputs), bias float32 (outputs)."""

    input: compat.Expr
    weight: Array
    bias: Array | None

    def scaled(self, factor: Array) -> Projection:
        """Return the projection whose result is multiplied by a scalar or by (outputs)."""
        bias = None if self.bias is None else _product(self.bias, factor)
        return Projection(self.input, _product(self.weight, factor), bias)


def _product(a: Array, b: Array) -> Array:
    return np.asarray(a.astype(np.float64) * b.astype(np.float64), np.float32)


def projection_of(emitter: Emitter, expr: compat.Expr) -> Projection | None:
    """Return the projection that `expr` is the result of, or None."""
    call = emitter.producer(expr)
    if compat.is_call(call, "relax.add") and compat.is_constant(call.args[1]):
        inner = projection_of(emitter, call.args[0])
        bias = compat.value_of(call.args[1])
        if inner is None or inner.bias is not None or bias.ndim > 1:
            return None
        return Projection(inner.input, inner.weight, bias)
    if compat.is_call(call, "relax.matmul") and compat.is_constant(call.args[1]):
        return Projection(call.args[0], compat.value_of(call.args[1]), None)
    return None


def emit_projection(emitter: Emitter, projection: Projection) -> compat.Expr:
    """Emit the projection; returns its variable."""
    weight = compat.constant(projection.weight)
    result = emitter.builder.emit(relax.op.matmul(projection.input, weight))
    if projection.bias is None:
        return result
    return emitter.builder.emit(relax.op.add(result, compat.constant(projection.bias)))
