"""Emit a Relax function anew, binding by binding, with a rule an operator.

TVM infers all types again on the way, so that a pass may change every tensor's shape or type; and a
rule sees what makes its arguments, so that it may look for a pattern.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tvm import ir, relax

from tvm_embbert import compat

Rule = Callable[["Emitter", compat.Expr, list[compat.Expr]], compat.Expr]
"""Gets the emitter, the old call and its new arguments; returns the call to emit, or a variable."""


class Emitter:
    """What a rule works with: the block builder and the new expression of each old variable."""

    def __init__(self, parameters: Mapping[compat.Expr, compat.Expr]) -> None:
        self.builder = relax.BlockBuilder()
        self.env: dict[Any, compat.Expr] = dict(parameters)

    def lookup(self, expr: compat.Expr) -> compat.Expr:
        """Return the new expression that stands for an argument of an old call."""
        if isinstance(expr, ir.Tuple):
            return relax.Tuple([self.lookup(field) for field in expr.fields])
        return self.env.get(expr, expr)

    def rebuild(self, expr: compat.Expr) -> compat.Expr:
        """Return the same operator on the new arguments, or the new variable."""
        if not compat.is_call(expr):
            return self.lookup(expr)
        return ir.Call(expr.op, [self.lookup(a) for a in expr.args], attrs=expr.attrs)

    def producer(self, variable: compat.Expr) -> compat.Expr:
        """Return the expression that a new variable is bound to, or the expression itself."""
        found = self.builder.lookup_binding(variable) if isinstance(variable, relax.Var) else None
        return variable if found is None else found


def emit_function(
    old: compat.Expr,
    parameters: Mapping[compat.Expr, compat.Expr],
    emit: Callable[[Emitter, compat.Expr], compat.Expr],
    results: Sequence[compat.Expr] | None = None,
) -> compat.Module:
    """Build ``main`` from `old`: `emit` turns each binding into a call to emit, or a variable.

    The result is that of `old`, or a tuple of the variables of `old` that are given as `results`.
    """
    emitter = Emitter(parameters)
    with emitter.builder.function(compat.MAIN, list(parameters.values())):
        with emitter.builder.dataflow():
            for binding in compat.bindings(old):
                made = emit(emitter, binding)
                made = emitter.builder.emit(made) if compat.is_call(made) else made
                emitter.env[binding.var] = made
            wanted = compat.result_of(old) if results is None else relax.Tuple(results)
            result = emitter.builder.emit_output(emitter.lookup(wanted))
        emitter.builder.emit_func_output(result)
    return compat.with_bounds(emitter.builder.get(), compat.upper_bounds(old))


def reemit(
    mod: compat.Module,
    parameters: Mapping[compat.Expr, compat.Expr],
    rules: Mapping[str, Rule],
    default: Rule | None = None,
) -> compat.Module:
    """Build ``main`` again, with a rule an operator.

    Parameters
    ----------
    mod : IRModule
        The module whose ``main`` is read.
    parameters : mapping
        Old parameter to new parameter.
    rules : mapping
        Operator name to the rule that emits it.
    default : rule, optional
        Emits the others; they are emitted as they are where it is not given.
    """

    def emit(emitter: Emitter, binding: compat.Expr) -> compat.Expr:
        call = binding.value
        rule = rules.get(str(call.op.name), default) if compat.is_call(call) else None
        if rule is None:
            return emitter.rebuild(call)
        return rule(emitter, call, [emitter.lookup(a) for a in call.args])

    return emit_function(mod[compat.MAIN], parameters, emit)


def reemit_in_place(mod: compat.Module, rules: Mapping[str, Rule]) -> compat.Module:
    """Build ``main`` again with the same parameters, and drop what nothing reads."""
    parameters = {p: p for p in mod[compat.MAIN].params}
    return compat.fold_constants(reemit(mod, parameters, rules))


def variables_of(value: compat.Expr) -> list[compat.Expr]:
    """Return the variables that a bound expression reads, once for each place."""
    if isinstance(value, relax.Var):
        return [value]
    parts = value.args if compat.is_call(value) else getattr(value, "fields", [])
    return [v for part in parts for v in variables_of(part)]


def readers_of(func: compat.Expr) -> Counter[compat.Expr]:
    """Return how often each variable of a function is read; its result is read once more."""
    values = (*compat.values_of(func).values(), compat.result_of(func))
    return Counter(v for value in values for v in variables_of(value))
