"""Cover the float graph with operator strategies: from the result back, largest match first."""

from __future__ import annotations

from collections.abc import Sequence

from tvm_embbert import compat
from tvm_embbert.errors import UnsupportedOperatorError
from tvm_embbert.strategy import registry
from tvm_embbert.strategy.operator import Match, Operator


def partition(mod: compat.Module, operators: Sequence[Operator] | None = None) -> list[Match]:
    """Return the matches that compute the result of ``main``, in the order of the graph.

    Each tensor that a match reads is made by another match, or is a parameter; what no match
    needs is not computed.

    Raises
    ------
    UnsupportedOperatorError
        No operator takes a tensor that is needed; the message names it and the operators there are.
    """
    func = mod[compat.MAIN]
    values = compat.values_of(func)
    candidates = operators or registry.operators()
    found: dict[compat.Expr, Match] = {}
    open_variables = [compat.resolved(compat.result_of(func), values)]
    while open_variables:
        variable = open_variables.pop()
        if variable in found or variable not in values:
            continue
        match = _match(variable, values, candidates)
        found[variable] = match
        open_variables += [compat.resolved(v, values) for v in match.operator.inputs(match)]
    return [found[variable] for variable in values if variable in found]


def _match(
    variable: compat.Expr, values: dict[compat.Expr, compat.Expr], operators: Sequence[Operator]
) -> Match:
    for operator in operators:
        for pattern, parts in operator.patterns():
            matched = pattern.extract_matched_expr(values[variable], values)
            if matched is None:
                continue
            named = {name: _variable(matched[part], values) for name, part in parts.items()}
            match = Match(operator, variable, named, values)
            if operator.accepts(match):
                return match
    raise _unsupported(variable, values, operators)


def _variable(expr: compat.Expr, values: dict[compat.Expr, compat.Expr]) -> compat.Expr:
    """Return the variable of a part, of which TVM sometimes gives the bound expression."""
    return next((v for v, value in values.items() if value.same_as(expr)), expr)


def _unsupported(
    variable: compat.Expr, values: dict[compat.Expr, compat.Expr], operators: Sequence[Operator]
) -> UnsupportedOperatorError:
    value = values[variable]
    name = value.op.name if compat.is_call(value) else type(value).__name__
    near = _resembled(value, values, operators)
    return UnsupportedOperatorError(
        f"No operator strategy takes {f'this form of {near.name}' if near else name}.",
        where=f"{compat.var_name(variable)}: {value.ty} = {name}",
        supported=near.takes if near else ", ".join(sorted(o.name for o in operators)),
        hint="Write a strategy for it (docs/adding-an-operator.md) and pass it with --strategy.",
    )


def _resembled(
    value: compat.Expr, values: dict[compat.Expr, compat.Expr], operators: Sequence[Operator]
) -> Operator | None:
    """Return the operator that would be the one for this piece if its form were another."""
    for operator in operators:
        for pattern in operator.resembling():
            if pattern.extract_matched_expr(value, values) is not None:
                return operator
    return None
