"""Compute only the rows that are read.

A walk from the result backwards finds for each tensor whether all its rows are read or only row 0,
as when a classifier reads the [CLS] row. A row passes through everything that is local to a row
(projections, normalisation, activations, the queries of attention) and through causal convolution,
whose row 0 depends on row 0 alone. Attention reads its keys and values whole. What was a vector
picked from a matrix stays a matrix of one row.
"""

from __future__ import annotations

from collections.abc import Callable

import tvm
from tvm import relax

from tvm_embbert import compat
from tvm_embbert.transform.rewriter import Emitter, emit_function, readers_of, variables_of

Expr = compat.Expr
MATRIX = 2
CAUSAL_CONVOLUTION = (
    "relax.permute_dims",
    "relax.add",
    "relax.squeeze",
    "relax.nn.conv1d",
    "relax.expand_dims",
    "relax.nn.pad",
    "relax.permute_dims",
)


def drop_dead_rows(mod: compat.Module) -> compat.Module:
    """Rewrite ``main`` so that a tensor of which only row 0 is read has only that row; exact."""
    func = mod[compat.MAIN]
    analysis = _Analysis(func)

    def emit(emitter: Emitter, binding: Expr) -> Expr:
        return _emit(emitter, binding, analysis)

    return compat.fold_constants(emit_function(func, {p: p for p in func.params}, emit))


class _Analysis:
    """Which variables are read in one row only, and which belong to a causal convolution."""

    def __init__(self, func: Expr) -> None:
        self.values = compat.values_of(func)
        self.readers = readers_of(func)
        self.convolution = self._convolutions()
        self.whole = {compat.result_of(func)}
        for variable in reversed(list(self.values)):
            self._visit(variable)

    def one_row(self, variable: Expr) -> bool:
        """Return whether only row 0 of a bound variable is computed."""
        return variable in self.values and variable not in self.whole

    def row_arguments(self, variable: Expr) -> list[Expr]:
        """Return the arguments of which row 0 suffices for row 0 of the variable."""
        call = self.values[variable]
        if variable in self.convolution:
            return [call.args[0]]
        if not compat.is_call(call):
            return [call]
        rule = ROW_RULES.get(call.op.name) if len(compat.shape_of(call)) == MATRIX else None
        return rule(call) if rule else []

    def _visit(self, variable: Expr) -> None:
        """Note which arguments are read whole, given how the variable itself is read."""
        call = self.values[variable]
        passed = _selected(call)
        if passed is None and variable not in self.whole:
            passed = self.row_arguments(variable)
            if not passed:
                self.whole.add(variable)  # it cannot be computed row by row
        read_by_row = passed or []
        self.whole |= {a for a in variables_of(call) if not any(a.same_as(r) for r in read_by_row)}

    def _convolutions(self) -> set[Expr]:
        members: set[Expr] = set()
        for variable in self.values:
            chain = [variable]
            while len(chain) < len(CAUSAL_CONVOLUTION) and self._is_link(chain):
                chain.append(self.values[chain[-1]].args[0])
            if len(chain) == len(CAUSAL_CONVOLUTION) and self._is_link(chain):
                members |= set(chain) if _is_causal([self.values[v] for v in chain]) else set()
        return members

    def _is_link(self, chain: list[Expr]) -> bool:
        """Return whether the chain's last variable fits its place, and only the chain reads it."""
        value = self.values.get(chain[-1])
        alone = len(chain) == 1 or self.readers[chain[-1]] == 1
        return alone and compat.is_call(value, CAUSAL_CONVOLUTION[len(chain) - 1])


def _emit(emitter: Emitter, binding: Expr, analysis: _Analysis) -> Expr:
    call = binding.value
    if not compat.is_call(call):
        return emitter.lookup(call)
    selected = _selected(call)
    if selected is not None:
        return _first_row(emitter, selected[0], analysis)
    if not analysis.one_row(binding.var):
        return emitter.rebuild(call)
    rows = analysis.row_arguments(binding.var)
    args = [_argument(emitter, a, rows, analysis) for a in call.args]
    return tvm.ir.Call(call.op, args, attrs=call.attrs)


def _argument(emitter: Emitter, arg: Expr, rows: list[Expr], analysis: _Analysis) -> Expr:
    if isinstance(arg, tvm.ir.Tuple):
        return relax.Tuple([_argument(emitter, f, rows, analysis) for f in arg.fields])
    if any(arg.same_as(r) for r in rows) and not compat.is_constant(arg):
        return _first_row(emitter, arg, analysis)
    return emitter.lookup(arg)


def _first_row(emitter: Emitter, old: Expr, analysis: _Analysis) -> Expr:
    new = emitter.lookup(old)
    if analysis.one_row(old):
        return new
    row = relax.op.strided_slice(new, axes=[0], begin=[0], end=[1], assume_inbound=True)
    return emitter.builder.emit(row)


def _selected(call: Expr) -> list[Expr] | None:
    """Return the tensor of which `call` takes row 0, or None."""
    if not compat.is_call(call, "relax.take") or not compat.is_constant(call.args[1]):
        return None
    index = compat.value_of(call.args[1])
    is_row = index.size == 1 and not index.any() and int(call.attrs.axis) == 0
    return None if compat.is_constant(call.args[0]) or not is_row else [call.args[0]]


def _is_causal(calls: list[Expr]) -> bool:
    """Return whether row 0 of a chain of :data:`CAUSAL_CONVOLUTION` reads row 0 alone."""
    outer, _, _, conv, _, pad, inner = calls
    swapped = compat.swaps_axes(outer) and compat.swaps_axes(inner)
    plain = [int(v) for v in (*conv.attrs.strides, *conv.attrs.dilation)] == [1, 1]
    kernel = compat.shape_of(conv.args[1])[-1]
    bare = not any(int(p) for p in conv.attrs.padding)
    return swapped and plain and bare and compat.pads_in_front(pad, kernel - 1)


def _same_rank(call: Expr) -> list[Expr]:
    """Return the matrices among the arguments; none if a constant has rows of its own."""
    constants = [compat.shape_of(a) for a in call.args if compat.is_constant(a)]
    if any(len(shape) == MATRIX and shape[0] != 1 for shape in constants):
        return []
    return [a for a in variables_of(call) if len(compat.shape_of(a)) == MATRIX]


def _left(call: Expr) -> list[Expr]:
    return [call.args[0]]


def _left_on_last_axis(call: Expr) -> list[Expr]:
    axes = call.attrs.axis
    last = [int(a) for a in axes] if hasattr(axes, "__len__") else [int(axes)]
    return _left(call) if last == [-1] else []


def _fields_on_last_axis(call: Expr) -> list[Expr]:
    last = int(call.attrs.axis) in (-1, len(compat.shape_of(call)) - 1)
    return list(call.args[0].fields) if last else []


ROW_RULES: dict[str, Callable[[Expr], list[Expr]]] = {
    "relax.matmul": _left,
    "relax.mean": _left_on_last_axis,
    "relax.nn.softmax": _left_on_last_axis,
    "relax.concat": _fields_on_last_axis,
    **{f"relax.{name}": _same_rank for name in ("add", "subtract", "multiply", "where")},
    **{f"relax.nn.{name}": _left for name in ("silu", "relu", "gelu")},
    **{f"relax.{name}": _left for name in ("rsqrt", "sigmoid", "tanh")},
}
