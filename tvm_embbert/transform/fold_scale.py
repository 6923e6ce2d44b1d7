"""Fold a multiplication by a constant into the projection before it.

``(x @ W + b) * c`` becomes ``x @ (W * c) + b * c`` for a scalar or a vector over the outputs, and
``(q @ k) * c`` becomes ``(q * c) @ k``, after which the first form takes it. So the lambdas of
EmbBERT and attention's ``1 / sqrt(d)`` cost nothing at run time.
"""

from __future__ import annotations

from tvm import relax

from tvm_embbert import compat
from tvm_embbert.transform.projection import emit_projection, projection_of
from tvm_embbert.transform.rewriter import Emitter, Rule, reemit_in_place

Expr = compat.Expr


def fold_scale(mod: compat.Module) -> compat.Module:
    """Rewrite ``main`` with the rules above; exact but for float32 rounding of the weights."""
    return reemit_in_place(mod, RULES)


def _multiply(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    if not compat.is_constant(args[1]) or compat.value_of(args[1]).ndim > 1:
        return relax.op.multiply(*args)
    return scaled(emitter, args[0], args[1])


def scaled(emitter: Emitter, x: Expr, factor: Expr) -> Expr:
    """Return ``x * factor``, folded where a projection or a matrix product makes `x`."""
    projection = projection_of(emitter, x)
    if projection is not None:
        return emit_projection(emitter, projection.scaled(compat.value_of(factor)))
    call = emitter.producer(x)
    if compat.is_call(call, "relax.matmul") and compat.value_of(factor).ndim == 0:
        left = scaled(emitter, call.args[0], factor)
        return emitter.builder.emit(relax.op.matmul(left, call.args[1]))
    return emitter.builder.emit(relax.op.multiply(x, factor))


RULES: dict[str, Rule] = {"relax.multiply": _multiply}
