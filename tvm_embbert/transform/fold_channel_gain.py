"""Move a gain over the channels, such as RMSNorm's, into the constants that come after it.

With ``y = x * g`` for a constant vector g over the channels: ``y @ W`` becomes ``x @ (g * W)``;
``q @ y.T`` becomes ``(q * g) @ x.T``; ``softmax(s) @ y`` becomes ``(softmax(s) @ x) * g``; a
depthwise convolution of y takes g into its kernels. Where all readers are of these kinds the gain
is gone, and what is left has unit root mean square: it needs no calibration.
"""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax

from tvm_embbert import compat
from tvm_embbert.transform.fold_scale import scaled
from tvm_embbert.transform.rewriter import Emitter, Rule, reemit_in_place

Expr = compat.Expr


def fold_channel_gain(mod: compat.Module) -> compat.Module:
    """Rewrite ``main`` with the rules above; exact but for float32 rounding of the weights."""
    return reemit_in_place(mod, RULES)


def _gained(emitter: Emitter, expr: Expr) -> tuple[Expr, Expr] | None:
    """Return (x, g) where `expr` is ``x * g`` with a constant vector g over the channels."""
    call = emitter.producer(expr)
    if compat.is_call(call, "relax.multiply") and compat.is_constant(call.args[1]):
        x, gain = call.args
        if compat.shape_of(gain) == compat.shape_of(x)[-1:]:
            return x, gain
    return None


def _matmul(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    left, right = args
    if compat.is_constant(right):
        return _project(emitter, left, right)
    transposed = emitter.producer(right)
    if compat.is_call(transposed, "relax.permute_dims"):
        return _scores(emitter, left, right, transposed)
    return _context(emitter, left, right)


def _project(emitter: Emitter, x: Expr, weight: Expr) -> Expr:
    found = _gained(emitter, x)
    if found is None:
        return relax.op.matmul(x, weight)
    value = compat.value_of(found[1])[:, None] * compat.value_of(weight)
    return relax.op.matmul(found[0], compat.constant(value))


def _scores(emitter: Emitter, query: Expr, keys: Expr, transposed: Expr) -> Expr:
    found = _gained(emitter, transposed.args[0])
    if found is None:
        return relax.op.matmul(query, keys)
    plain = emitter.builder.emit(relax.op.permute_dims(found[0], transposed.attrs.axes))
    return relax.op.matmul(scaled(emitter, query, found[1]), plain)


def _context(emitter: Emitter, weights: Expr, values: Expr) -> Expr:
    found = _gained(emitter, values)
    if found is None:
        return relax.op.matmul(weights, values)
    context = emitter.builder.emit(relax.op.matmul(weights, found[0]))
    return relax.op.multiply(context, found[1])


def _conv1d(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    """Look through ``expand_dims(pad(permute_dims(y)))``, the form of a causal convolution."""
    chain = []
    inner = args[0]
    for name in ("relax.expand_dims", "relax.nn.pad", "relax.permute_dims"):
        step = emitter.producer(inner)
        if not compat.is_call(step, name):
            return tvm.ir.Call(call.op, args, attrs=call.attrs)
        if name == "relax.nn.pad" and not compat.pads_with_zeros(step):
            return tvm.ir.Call(call.op, args, attrs=call.attrs)
        chain.append(step)
        inner = step.args[0]
    found = _gained(emitter, inner)
    if found is None or int(call.attrs.groups) != compat.shape_of(inner)[-1]:
        return tvm.ir.Call(call.op, args, attrs=call.attrs)
    return _depthwise(emitter, call, chain, *found)


def _depthwise(emitter: Emitter, call: Expr, chain: list[Expr], x: Expr, gain: Expr) -> Expr:
    for step in reversed(chain):
        x = emitter.builder.emit(tvm.ir.Call(step.op, [x, *step.args[1:]], attrs=step.attrs))
    weight = compat.value_of(call.args[1])
    per_output = np.repeat(compat.value_of(gain), weight.shape[0] // len(compat.value_of(gain)))
    scaled_weight = compat.constant(weight * per_output[:, None, None])
    return tvm.ir.Call(call.op, [x, scaled_weight], attrs=call.attrs)


RULES: dict[str, Rule] = {"relax.matmul": _matmul, "relax.nn.conv1d": _conv1d}
