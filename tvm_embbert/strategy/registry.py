"""The registry: finds operators and implementations, and chooses among them for a target.

All modules of this package and of ``strategy/kernels/<instruction set>/`` register what they define
when the registry is first used, so that a new operator or a new instruction set adds files only.
Other packages name modules of theirs in the entry point group ``tvm_embbert.strategies``; the
command line's ``--strategy FILE.py`` loads a single file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import ModuleType

from tvm_embbert.errors import UnsupportedOperatorError, UsageError
from tvm_embbert.extensions import load_entry_points, load_modules, load_python_file
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Operator

_OPERATORS: dict[str, Operator] = {}
_IMPLEMENTATIONS: dict[str, Implementation] = {}
ENTRY_POINTS = "tvm_embbert.strategies"


def register_operator(operator: type[Operator]) -> type[Operator]:
    """Register an operator (class decorator); a later one of the same name takes its place."""
    _OPERATORS[operator.name] = operator()
    return operator


def register_implementation(implementation: type[Implementation]) -> type[Implementation]:
    """Register an implementation (class decorator)."""
    made = implementation()
    _IMPLEMENTATIONS[made.name] = made
    return implementation


@cache
def _load_all() -> None:
    load_modules("tvm_embbert.strategy")
    load_entry_points(ENTRY_POINTS)


def load_file(path: Path) -> ModuleType:
    """Run a Python file that registers operators or implementations of the user's own."""
    _load_all()  # first, so that the user's take the place of others of the same name
    return load_python_file(path, "strategy")


def operators() -> list[Operator]:
    """Return all operators, those of the highest priority first."""
    _load_all()
    return sorted(_OPERATORS.values(), key=lambda o: (-o.priority, o.name))


def operator(name: str) -> Operator:
    """Return an operator by name."""
    _load_all()
    if name not in _OPERATORS:
        raise UnsupportedOperatorError(
            f"There is no operator named {name!r}.", supported=", ".join(sorted(_OPERATORS))
        )
    return _OPERATORS[name]


def implementations(operator_name: str) -> list[Implementation]:
    """Return the implementations of an operator, those of the highest priority first."""
    _load_all()
    found = [i for i in _IMPLEMENTATIONS.values() if i.operator == operator_name]
    return sorted(found, key=lambda i: (-i.priority, i.name))


@dataclass(frozen=True)
class Choice:
    """Which implementation took a call, and why each other one did not."""

    call: IntegerCall
    implementation: Implementation
    reason: str
    passed_over: Mapping[str, str]


def choose(
    call: IntegerCall, isa: Sequence[str], overrides: Mapping[str, str] | None = None
) -> Choice:
    """Choose the implementation of a call.

    Parameters
    ----------
    call : IntegerCall
        The call.
    isa : sequence of str
        Instruction sets that the core has.
    overrides : mapping, optional
        Operator name, or name of one call, to the implementation wanted there.

    Raises
    ------
    UnsupportedOperatorError
        No implementation takes the call, or the one asked for does not.
    """
    candidates = implementations(call.operator)
    wanted = _wanted(call, overrides or {})
    passed_over: dict[str, str] = {}
    for candidate in candidates:
        reason = _unfit(candidate, call, isa, wanted)
        if not reason:
            why = "asked for" if wanted else _why(candidate, isa)
            return Choice(call, candidate, why, passed_over | _outranked(candidates, candidate))
        passed_over[candidate.name] = reason
    raise UnsupportedOperatorError(
        f"No implementation takes {call.name}.",
        where=f"{call.operator} on {', '.join(isa)}",
        supported="; ".join(f"{name}: {why}" for name, why in passed_over.items()),
    )


def _wanted(call: IntegerCall, overrides: Mapping[str, str]) -> str:
    wanted = overrides.get(call.name, overrides.get(call.operator, ""))
    if wanted and wanted not in _IMPLEMENTATIONS:
        near = get_close_matches(wanted, _IMPLEMENTATIONS, 1)
        raise UsageError(
            f"There is no implementation named {wanted!r}.",
            where=call.name,
            supported=", ".join(i.name for i in implementations(call.operator)),
            hint=f"Did you mean {near[0]}?" if near else "",
        )
    return wanted


def _unfit(candidate: Implementation, call: IntegerCall, isa: Sequence[str], wanted: str) -> str:
    if wanted and candidate.name != wanted:
        return f"{wanted} was asked for"
    if candidate.isa not in isa:
        return f"the core has no {candidate.isa}"
    return candidate.reject(call)


def _why(candidate: Implementation, isa: Sequence[str]) -> str:
    return f"highest priority ({candidate.priority}) among {', '.join(isa)}"


def _outranked(candidates: Sequence[Implementation], chosen: Implementation) -> dict[str, str]:
    behind = candidates[candidates.index(chosen) + 1 :]
    return {c.name: f"priority {c.priority} is lower" for c in behind}
