"""Planning algorithm: the largest buffer first, each at the lowest free place."""

from __future__ import annotations

from tvm_embbert.memory.first_fit import first_fit
from tvm_embbert.memory.indexed import IndexedProblem, index
from tvm_embbert.memory.planners.registry import register_planner
from tvm_embbert.memory.problem import Placement, Problem


@register_planner("greedy_by_size")
def greedy_by_size(problem: Problem) -> Placement:
    """Return the offset of each buffer; nothing is proved beyond the problem's bound."""
    indexed = index(problem)
    return indexed.placement(first_fit(indexed, largest_first(indexed)), indexed.lower_bound)


def largest_first(problem: IndexedProblem) -> list[int]:
    """Return the order in which buffers are placed; of equals, those with more conflicts first."""
    sizes, conflicts = problem.sizes, problem.conflicts
    return sorted(range(len(sizes)), key=lambda i: (-sizes[i], -len(conflicts[i]), i))
