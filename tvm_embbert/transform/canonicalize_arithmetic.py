"""Bring arithmetic with constants to one form, so that later patterns need to know only that form.

Constants stand second, ``x / c`` becomes ``x * (1 / c)``, ``x - c`` becomes ``x + (-c)`` and
``x * sigmoid(x)`` becomes ``silu(x)``. Exact but for the rounding of ``1 / c`` in float32.
"""

from __future__ import annotations

import numpy as np
from tvm import relax

from tvm_embbert import compat
from tvm_embbert.transform.rewriter import Emitter, Rule, reemit_in_place

Expr = compat.Expr


def canonicalize_arithmetic(mod: compat.Module) -> compat.Module:
    """Rewrite ``main`` with the rules above."""
    return reemit_in_place(mod, RULES)


def _add(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    return relax.op.add(*_constant_last(args))


def _multiply(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    x, y = _constant_last(args)
    for operand, gate in ((x, y), (y, x)):
        gated = emitter.producer(gate)
        if compat.is_call(gated, "relax.sigmoid") and gated.args[0].same_as(operand):
            return relax.op.nn.silu(operand)
    return relax.op.multiply(x, y)


def _divide(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    if not compat.is_constant(args[1]):
        return relax.op.divide(*args)
    inverse = np.float32(1) / compat.value_of(args[1])
    return relax.op.multiply(args[0], compat.constant(inverse))


def _subtract(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    if not compat.is_constant(args[1]):
        return relax.op.subtract(*args)
    return relax.op.add(args[0], compat.constant(-compat.value_of(args[1])))


def _constant_last(args: list[Expr]) -> list[Expr]:
    return sorted(args, key=compat.is_constant)


RULES: dict[str, Rule] = {
    "relax.add": _add,
    "relax.divide": _divide,
    "relax.multiply": _multiply,
    "relax.subtract": _subtract,
}
