"""Drop the batch of one and 64-bit indices, which PyTorch's conventions bring along.

A tensor (1, n, c) becomes (n, c), token ids become int32 (n,), and the symbolic length is renamed
``n``. What existed only to carry the batch (reshape, broadcast, expand_dims) disappears. Axes are
counted from the end, where they do not move when leading dimensions go.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tvm
from tvm import relax

from tvm_embbert import compat
from tvm_embbert.errors import UnsupportedOperatorError
from tvm_embbert.transform.rewriter import Emitter, Rule, reemit

Expr = compat.Expr
LENGTH = "n"


def drop_unit_batch(mod: compat.Module) -> compat.Module:
    """Rewrite ``main`` without leading unit dimensions; exact."""
    _require_shapes(mod)
    renamed = compat.rename_dimension(compat.fold_constants(mod), LENGTH)
    parameters = {p: _unbatched_parameter(p) for p in renamed[compat.MAIN].params}
    return compat.fold_constants(reemit(renamed, parameters, RULES, _other))


def _require_shapes(mod: compat.Module) -> None:
    """Raise :class:`UnsupportedOperatorError` for a tensor whose shape TVM could not work out."""
    for binding in compat.bindings(mod[compat.MAIN]):
        if compat.is_tensor(binding.var) and not compat.has_shape(binding.var):
            raise UnsupportedOperatorError(
                "The shape of a tensor is not known when the model is compiled.",
                where=f"{compat.var_name(binding.var)} = {str(binding.value)[:200]}",
                supported="shapes made of numbers and the one symbolic length",
                hint="Slice and broadcast rows in a way that keeps their number plain.",
            )


def _unbatched_parameter(parameter: Expr) -> Expr:
    dtype = compat.dtype_of(parameter)
    narrow = "int32" if dtype == "int64" else dtype
    shape = _squeezed(compat.shape_of(parameter))
    return relax.Var(compat.var_name(parameter), compat.tensor_type(shape, narrow))


def _squeezed(shape: tuple[Any, ...]) -> tuple[Any, ...]:
    while shape and isinstance(shape[0], int) and shape[0] == 1:
        shape = shape[1:]
    return shape


def _from_end(axis: int, old: Expr) -> int:
    rank = len(compat.shape_of(old))
    return axis if axis < 0 else axis - rank


def _constant_of_rank(arg: Expr, rank: int) -> Expr:
    """Squeeze a constant's leading unit dimensions to `rank`, and narrow its integers."""
    if not compat.is_constant(arg):
        return arg
    value = compat.value_of(arg)
    while value.ndim > rank and value.shape[0] == 1:
        value = value[0]
    return compat.constant(value.astype(np.int32) if value.dtype == np.int64 else value)


def _elementwise(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    rank = max(len(compat.shape_of(a)) for a in args if not compat.is_constant(a))
    squeezed = [_constant_of_rank(arg, rank) for arg in args]
    return tvm.ir.Call(call.op, squeezed, attrs=call.attrs)


def _matmul(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    return relax.op.matmul(*(_constant_of_rank(arg, 2) for arg in args))


def _reshape(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    have = compat.shape_of(args[0])
    want = _squeezed(compat.shape_of(call))
    if compat.same_shape(_squeezed(have), want):
        return args[0]
    if call.op.name == "relax.broadcast_to":
        return relax.op.broadcast_to(args[0], want)
    return relax.op.reshape(args[0], want)


def _expand_dims(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    if compat.same_shape(_squeezed(compat.shape_of(call)), compat.shape_of(args[0])):
        return args[0]
    return relax.op.expand_dims(args[0], [_from_end(int(a), call) for a in call.attrs.axis])


def _astype(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    dtype = "int32" if str(call.attrs.dtype) == "int64" else str(call.attrs.dtype)
    return args[0] if compat.dtype_of(args[0]) == dtype else relax.op.astype(args[0], dtype)


def _cumsum(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    axis = _from_end(int(call.attrs.axis), call.args[0])
    dtype = compat.dtype_of(call)
    narrow = "int32" if dtype == "int64" else dtype
    return relax.op.cumsum(args[0], axis=axis, dtype=narrow, exclusive=bool(call.attrs.exclusive))


def _arange(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    return relax.op.arange(*args, dtype="int32")


def _take(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    axis = _from_end(int(call.attrs.axis), call.args[0])
    index = _constant_of_rank(args[1], 0)
    rank = len(compat.shape_of(args[0]))
    return relax.op.take(args[0], index, axis=axis + rank, mode=call.attrs.mode)


def _permute(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    dropped = len(compat.shape_of(call.args[0])) - len(compat.shape_of(args[0]))
    axes = [int(a) - dropped for a in call.attrs.axes][dropped:]
    return relax.op.permute_dims(args[0], axes)


def _reduce(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    """Reduce over the same axes; over a dropped one there is nothing left to reduce."""
    rank = len(compat.shape_of(args[0]))
    old = call.attrs.axis or range(len(compat.shape_of(call.args[0])))
    axes = [a for a in (_from_end(int(a), call.args[0]) for a in old) if a >= -rank]
    function = getattr(relax.op, call.op.name.removeprefix("relax."))
    return function(args[0], axes, bool(call.attrs.keepdims))


def _concat(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    old, fields = call.args[0].fields, args[0].fields
    ranks = {len(compat.shape_of(f)) for f in fields}
    axis = _from_end(int(call.attrs.axis), old[0])
    if len(ranks) != 1 or axis < -min(ranks):
        raise _unsupported(call)
    return relax.op.concat(list(fields), axis=axis)


def _strided_slice(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    rank = len(compat.shape_of(args[0]))
    axes = [_from_end(int(a), call.args[0]) + rank for a in call.args[1].fields]
    if min(axes) < 0:
        raise _unsupported(call)
    bounds = [list(t.fields) for t in call.args[2:]]
    first_row = axes == [0] and [str(b[0]) for b in bounds] in (["0", "1"], ["0", "1", "1"])
    inside = first_row or bool(call.attrs.assume_inbound)  # there is always a first row
    return relax.op.strided_slice(args[0], axes, *bounds, assume_inbound=inside)


def _other(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    """Emit an operator without a rule as it is, unless an axis of it could have moved."""
    moved = any(
        len(compat.shape_of(old)) != len(compat.shape_of(new))
        for old, new in zip(call.args, args, strict=True)
        if compat.has_shape(old) and compat.has_shape(new)
    )
    if moved and any(hasattr(call.attrs, name) for name in AXIS_ATTRIBUTES):
        raise _unsupported(call)
    return emitter.rebuild(call)


def _unsupported(call: Expr) -> UnsupportedOperatorError:
    return UnsupportedOperatorError(
        f"{call.op.name} over these axes cannot be freed of its batch.",
        where=str(call),
        supported="operators over rows and channels: see transform/drop_unit_batch.py",
    )


def _softmax(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    return relax.op.nn.softmax(args[0], _from_end(int(call.attrs.axis), call.args[0]))


def _pad(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    dropped = len(compat.shape_of(call.args[0])) - len(compat.shape_of(args[0]))
    widths = [int(w) for w in call.attrs.pad_width][2 * dropped :]
    return relax.op.nn.pad(args[0], widths, call.attrs.pad_mode, float(call.attrs.pad_value))


def _conv1d(emitter: Emitter, call: Expr, args: list[Expr]) -> Expr:
    """Keep the batch of one around the convolution, which needs three dimensions."""
    batched = emitter.builder.emit(relax.op.expand_dims(args[0], 0))
    made = emitter.builder.emit(tvm.ir.Call(call.op, [batched, args[1]], attrs=call.attrs))
    return relax.op.squeeze(made, 0)


AXIS_ATTRIBUTES = ("axis", "axes", "data_layout", "repeats", "roll_axis")
RULES: dict[str, Rule] = {
    "relax.arange": _arange,
    "relax.astype": _astype,
    "relax.broadcast_to": _reshape,
    "relax.concat": _concat,
    "relax.cumsum": _cumsum,
    "relax.expand_dims": _expand_dims,
    "relax.matmul": _matmul,
    "relax.nn.conv1d": _conv1d,
    "relax.nn.pad": _pad,
    "relax.nn.softmax": _softmax,
    "relax.permute_dims": _permute,
    "relax.reshape": _reshape,
    "relax.squeeze": _reshape,
    "relax.strided_slice": _strided_slice,
    "relax.take": _take,
    **{
        f"relax.{name}": _elementwise
        for name in ("add", "subtract", "multiply", "divide", "equal", "not_equal", "greater")
    },
    **{
        f"relax.{name}": _elementwise
        for name in ("greater_equal", "less", "less_equal", "where", "logical_and", "logical_or")
    },
    **{f"relax.{name}": _reduce for name in ("mean", "sum", "max", "min", "prod")},
}
