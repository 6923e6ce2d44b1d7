"""Turn the sum or difference of two projections into one, accumulated in one go.

``(a @ A + p) - (b @ B + q)`` becomes ``concat(a, b) @ concat(A, -B) + (p - q)``: one rounding
instead of three, and no intermediate tensors. The integer operator reads its parts where they are,
so that the concatenation costs nothing.
"""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax

from tvm_embbert import compat
from tvm_embbert.transform.projection import (
    Array,
    Projection,
    emit_projection,
    projection_of,
)
from tvm_embbert.transform.rewriter import Emitter, Rule, reemit_in_place

Expr = compat.Expr


def sum_projections(mod: compat.Module) -> compat.Module:
    """Rewrite ``main`` with the rule above; exact but for the order of float32 sums."""
    return reemit_in_place(mod, RULES)


def _sum(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    left, right = (projection_of(emitter, a) for a in args)
    if left is None or right is None or not _same_rows(left, right):
        return tvm.ir.Call(call.op, args, attrs=call.attrs)
    if compat.is_call(call, "relax.subtract"):
        right = right.scaled(np.array(-1, np.float32))
    return emit_projection(emitter, _joined(emitter, left, right))


def _same_rows(left: Projection, right: Projection) -> bool:
    """Return whether no side is broadcast over the other's rows."""
    shapes = [compat.shape_of(p.input)[:-1] for p in (left, right)]
    return compat.same_shape(*shapes)


def _joined(emitter: Emitter, left: Projection, right: Projection) -> Projection:
    parts = [*_parts(emitter, left.input), *_parts(emitter, right.input)]
    together = emitter.builder.emit(relax.op.concat(parts, axis=-1))
    weight = np.concatenate([left.weight, right.weight])
    return Projection(together, weight, _bias(left.bias, right.bias))


def _parts(emitter: Emitter, expr: Expr) -> list[Expr]:
    call = emitter.producer(expr)
    if compat.is_call(call, "relax.concat"):
        return list(call.args[0].fields)
    return [expr]


def _bias(left: Array | None, right: Array | None) -> Array | None:
    if left is None or right is None:
        return right if left is None else left
    return np.asarray(left + right, np.float32)


RULES: dict[str, Rule] = {"relax.add": _sum, "relax.subtract": _sum}
