"""Place buffers one after the other, each at the lowest offset that is free among its conflicts.

Some order always gives a smallest plan: that of the offsets in one, because each buffer then comes
to lie no higher than there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from tvm_embbert.memory.indexed import IndexedProblem, Span

_FREE = (0, 0)


def first_fit(problem: IndexedProblem, order: Sequence[int]) -> list[Span]:
    """Return where each buffer lies, in units, if they are placed in an order."""
    enough = sum(problem.sizes)
    return cast("list[Span]", first_fit_from(problem, order, 0, (), enough))


def first_fit_from(
    problem: IndexedProblem, order: Sequence[int], start: int, known: Sequence[Span], ceiling: int
) -> list[Span] | None:
    """Return where each buffer lies, or None if the end would be above `ceiling`.

    Parameters
    ----------
    problem : IndexedProblem
        Sizes and conflicts.
    order : sequence of int
        All buffers.
    start : int
        Place in the order; before it the buffers lie as in `known`.
    known : sequence of (int, int)
        Offset and end of each buffer, in units; used before `start` alone.
    ceiling : int
        Units.
    """
    sizes, conflicts = problem.sizes, problem.conflicts
    spans = [_FREE] * len(order)
    for buffer in order[:start]:
        spans[buffer] = known[buffer]
    for buffer in order[start:]:
        size, offset = sizes[buffer], 0
        # What is not placed yet is (0, 0), and in nobody's way.
        for low, high in sorted([spans[other] for other in conflicts[buffer]]):
            if low - offset >= size:
                break
            if high > offset:
                offset = high
        if offset + size > ceiling:
            return None
        spans[buffer] = (offset, offset + size)
    return spans
