"""Planning algorithm, the default: first fit in an order that is improved step by step.

It begins with the best of several greedy orders and moves buffers in it, those at the top of the
plan above all; whatever is no larger is kept. Where that does not reach the lower bound,
:mod:`tvm_embbert.memory.packing` looks for plans in between, and raises the bound where it finds
that there are none. All choices are random but the same on every run, and the effort is counted,
not timed: about a tenth of a second for 60 buffers.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from tvm_embbert.memory.first_fit import first_fit, first_fit_from
from tvm_embbert.memory.indexed import IndexedProblem, Span, end_of_spans, index
from tvm_embbert.memory.packing import pack
from tvm_embbert.memory.planners.greedy_by_conflicts import most_conflicts_first
from tvm_embbert.memory.planners.greedy_by_size import largest_first
from tvm_embbert.memory.planners.registry import register_planner
from tvm_embbert.memory.problem import Placement, Problem

MOVES = 30_000
"""Moves that are tried, times buffers."""
NODES = 400_000
"""Partial plans that the packing looks at, times buffers."""

Order = list[int]


@register_planner("hill_climb")
def hill_climb(problem: Problem) -> Placement:
    """Return the offset of each buffer, and the bound as far as it was raised."""
    indexed = index(problem)
    return indexed.placement(*improved(indexed))


def improved(problem: IndexedProblem) -> tuple[list[Span], int]:
    """Return where each buffer lies, and the proved bound, in units."""
    bound = problem.next_end(max(problem.lower_bound, problem.heaviest_clique))
    order = min(_starts(problem), key=lambda o: end_of_spans(first_fit(problem, o)))
    spans = _climb(problem, order, max(bound, problem.limit))
    return _pack(problem, spans, bound)


def _starts(problem: IndexedProblem) -> Iterator[Order]:
    yield largest_first(problem)
    yield most_conflicts_first(problem)
    yield _most_crowded_first(problem)
    yield _nearest_first(problem)


def _most_crowded_first(problem: IndexedProblem) -> Order:
    """Order by the bytes of a buffer and of all in conflict with it."""
    sizes = problem.sizes
    crowds = [sizes[i] + sum(sizes[j] for j in c) for i, c in enumerate(problem.conflicts)]
    return sorted(range(len(sizes)), key=lambda i: (-crowds[i], -sizes[i], i))


def _nearest_first(problem: IndexedProblem) -> Order:
    """Place next what conflicts with the most bytes placed before.

    For intervals of equal size this is optimal: maximum cardinality search, Tarjan and Yannakakis,
    SIAM Journal on Computing 13 (3), 1984.
    """
    sizes, order = problem.sizes, Order()
    placed, left = [0] * len(sizes), set(range(len(sizes)))
    while left:
        order.append(max(left, key=lambda i: (placed[i], sizes[i], -i)))
        left.remove(order[-1])
        for other in problem.conflicts[order[-1]]:
            placed[other] += sizes[order[-1]]
    return order


def _climb(problem: IndexedProblem, order: Order, goal: int) -> list[Span]:
    """Move buffers in the order, keeping what is no larger, down to `goal` units."""
    chance = random.Random(0)
    spans = first_fit(problem, order)
    end = end_of_spans(spans)
    for _ in range(MOVES // len(order) if len(order) > 1 else 0):
        if end <= goal:
            break
        moved, start = _moved(order, spans, end, chance)
        tried = first_fit_from(problem, moved, start, spans, end)
        if tried is not None:
            spans, order, end = tried, moved, end_of_spans(tried)
    return spans


def _moved(order: Order, spans: list[Span], end: int, chance: random.Random) -> tuple[Order, int]:
    """Return another order, and the first place where it differs."""
    kind, to = chance.random(), int(chance.random() * len(order))
    moved = order.copy()
    if kind < 0.5:
        tops = [place for place, buffer in enumerate(order) if spans[buffer][1] == end]
        place = tops[int(chance.random() * len(tops))]
        to = to * place // len(order)  # earlier: it is to lie lower
    else:
        place = int(chance.random() * len(order))
    if kind < 0.8:
        moved.insert(to, moved.pop(place))
    else:
        moved[place], moved[to] = moved[to], moved[place]
    return moved, min(place, to)


def _pack(problem: IndexedProblem, spans: list[Span], bound: int) -> tuple[list[Span], int]:
    """Search for smaller plans: at the bound, then half way between what failed and what is."""
    left, failed, size, end = NODES // max(1, len(spans)), bound - 1, bound, end_of_spans(spans)
    while failed + 1 < end > problem.limit and left > len(spans):
        packing = pack(problem, size, left // 2)
        left -= packing.nodes
        if packing.spans is not None:
            spans, end = packing.spans, end_of_spans(packing.spans)
        else:
            failed = size
        if packing.impossible:
            bound = problem.next_end(size + 1)
            failed = bound - 1
        size = (failed + end) // 2
    return spans, bound
