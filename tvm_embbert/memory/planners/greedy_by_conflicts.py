"""Planning algorithm: the buffer with the most conflicts first, as in USMP, TVM's planner."""

from __future__ import annotations

from tvm_embbert.memory.first_fit import first_fit
from tvm_embbert.memory.indexed import IndexedProblem, index
from tvm_embbert.memory.planners.registry import register_planner
from tvm_embbert.memory.problem import Placement, Problem


@register_planner("greedy_by_conflicts")
def greedy_by_conflicts(problem: Problem) -> Placement:
    """Return the offset of each buffer; nothing is proved beyond the problem's bound."""
    indexed = index(problem)
    return indexed.placement(first_fit(indexed, most_conflicts_first(indexed)), indexed.lower_bound)


def most_conflicts_first(problem: IndexedProblem) -> list[int]:
    """Return the order in which buffers are placed; of equals, the larger first."""
    sizes, conflicts = problem.sizes, problem.conflicts
    return sorted(range(len(sizes)), key=lambda i: (-len(conflicts[i]), -sizes[i], i))
