"""Normalise attention's weights after their product with the values.

``softmax(s) @ v`` becomes ``(e @ v) / sum(e)`` with ``e = exp(s - max(s))``, by row: one division
for each element of the context instead of one for each score, and weights in 0 to 1 that need no
sum before they are used. It is the order of online softmax (arXiv 1805.02867, used for attention in
arXiv 2205.14135) and of the integer operator. A softmax that is read elsewhere, too, or over
another axis than the last, stays; so does one that a constant matrix multiplies, which is no
attention. What masks scores is part of s.
"""

from __future__ import annotations

from tvm import relax

from tvm_embbert import compat
from tvm_embbert.transform.rewriter import Emitter, emit_function, readers_of

Expr = compat.Expr
LAST = [-1]


def defer_softmax_normalization(mod: compat.Module) -> compat.Module:
    """Rewrite ``main`` with the rule above; exact but for float32 rounding."""
    func = mod[compat.MAIN]
    values, readers = compat.values_of(func), readers_of(func)

    def emit(emitter: Emitter, binding: Expr) -> Expr:
        call = binding.value
        if not compat.is_call(call, "relax.matmul") or readers[call.args[0]] != 1:
            return emitter.rebuild(call)
        softmax = values.get(call.args[0])
        if softmax is None or not _is_over_last_axis(softmax) or not _is_computed(call.args[1]):
            return emitter.rebuild(call)
        return _deferred(emitter, *(emitter.lookup(a) for a in (softmax.args[0], call.args[1])))

    return compat.fold_constants(emit_function(func, {p: p for p in func.params}, emit))


def _deferred(emitter: Emitter, scores: Expr, values: Expr) -> Expr:
    emit = emitter.builder.emit
    largest = emit(relax.op.max(scores, LAST, keepdims=True))
    weights = emit(relax.op.exp(emit(relax.op.subtract(scores, largest))))
    context = emit(relax.op.matmul(weights, values))
    return relax.op.divide(context, emit(relax.op.sum(weights, LAST, keepdims=True)))


def _is_over_last_axis(call: Expr) -> bool:
    if not compat.is_call(call, "relax.nn.softmax"):
        return False
    return int(call.attrs.axis) in (-1, len(compat.shape_of(call)) - 1)


def _is_computed(expr: Expr) -> bool:
    """Return whether the factor is computed, and keeps the axis along which the sums lie."""
    return not compat.is_constant(expr) and len(compat.shape_of(expr)) > 1
