"""Planning algorithm: the smallest plan there is, by constraint programming.

The solver is CP-SAT of OR-Tools, an optional dependency. It starts from the plan of
:mod:`~tvm_embbert.memory.planners.hill_climb` and improves it until it has proved that none is
smaller, or until its time is up; what is then proved is the answer's lower bound. Cliques of
conflicts are told to it as one constraint each, from which it infers more than from pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from types import ModuleType
from typing import Any

from tvm_embbert.errors import UsageError
from tvm_embbert.memory.first_fit import first_fit
from tvm_embbert.memory.indexed import IndexedProblem, Span, end_of_spans, index
from tvm_embbert.memory.planners.hill_climb import improved
from tvm_embbert.memory.planners.registry import register_planner
from tvm_embbert.memory.problem import Placement, Problem

DETERMINISTIC_LIMIT = 30.0
"""The solver's own measure of work, about a second each: the same on every machine."""
WALL_LIMIT_S = 300.0
"""Only where a machine is so slow that waiting is worse than an answer that may not repeat."""


@register_planner("exact")
def exact(problem: Problem) -> Placement:
    """Return the offset of each buffer, and the bound, which is the plan's size if it is optimal.

    Raises
    ------
    UsageError
        OR-Tools is not installed, and the problem is not solved without.
    """
    indexed = index(problem)
    spans, bound = improved(indexed)
    if end_of_spans(spans) > max(bound, indexed.limit):
        spans, bound = solve(indexed, spans, bound)
    return indexed.placement(spans, bound)


def _cp_model() -> ModuleType:
    try:
        from ortools.sat.python import cp_model
    except ImportError as error:
        raise UsageError(
            "The planning algorithm 'exact' needs OR-Tools, which is not installed.",
            supported="greedy_by_conflicts, greedy_by_size and hill_climb need nothing more",
            hint="pip install tvm-embbert[exact]",
        ) from error
    module: ModuleType = cp_model
    return module


def solve(problem: IndexedProblem, known: Sequence[Span], bound: int) -> tuple[list[Span], int]:
    """Improve a plan as far as the limits allow.

    Parameters
    ----------
    problem : IndexedProblem
        Sizes and conflicts.
    known : sequence of (int, int)
        A plan: offset and end of each buffer, in units.
    bound : int
        Units that no plan goes below, as far as known.

    Returns
    -------
    tuple
        The plan and the proved bound, in units.
    """
    cp_model = _cp_model()
    model = cp_model.CpModel()
    offsets = _model(model, problem, known, bound)
    solver = cp_model.CpSolver()
    _limit(solver.parameters)
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return list(known), bound
    proved = problem.next_end(ceil(solver.best_objective_bound))
    found = [solver.value(offset) for offset in offsets]
    order = sorted(range(len(found)), key=lambda i: (found[i], i))
    return first_fit(problem, order), max(bound, proved)


def _model(model: Any, problem: IndexedProblem, known: Sequence[Span], bound: int) -> list[Any]:
    """Fill the model; returns the variables of the offsets."""
    most = end_of_spans(known)
    offsets = [model.new_int_var(0, most - size, "") for size in problem.sizes]
    taken = [
        model.new_fixed_size_interval_var(offset, size, "")
        for offset, size in zip(offsets, problem.sizes, strict=True)
    ]
    end = model.new_int_var(bound, most, "")
    for offset, size, span in zip(offsets, problem.sizes, known, strict=True):
        model.add(offset + size <= end)
        model.add_hint(offset, span[0])
    for clique in problem.cliques:
        model.add_no_overlap([taken[i] for i in clique])
    model.minimize(end)
    return offsets


def _limit(parameters: Any) -> None:
    """Let the solver take the same steps on every run, and not for ever."""
    parameters.num_workers = 1
    parameters.random_seed = 0
    parameters.max_deterministic_time = DETERMINISTIC_LIMIT
    parameters.max_time_in_seconds = WALL_LIMIT_S
