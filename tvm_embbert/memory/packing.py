"""Search for a plan no larger than a given size, from the lowest offset upwards.

Buffers are placed in the order of their offsets, each directly on one that it conflicts with or at
the arena's start. A branch is given up as soon as some clique of conflicts cannot hold what is
left of it. The search is that of MiniMalloc (Moffitt: MiniMalloc: A Lightweight Memory Allocator
for Hardware-Accelerated Machine Learning, ASPLOS 2023), with cliques for its sections. When it took
too long it begins anew, with those buffers first that were left where branches had to be given up
(Boussemart, Hemery, Lecoutre, Sais: Boosting Systematic Search by Weighting Constraints, ECAI
2004).

It loses no size: of the plans up to that size, the one with the least sum of offsets is in reach.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tvm_embbert.memory.indexed import IndexedProblem, Span

GROWTH = 1.3
"""How much longer each search is than the one before."""
BLAME = 3.0
"""Weight of the branches given up for a buffer, where its number of conflicts has weight 1."""
NOISE = 0.3


@dataclass(frozen=True)
class Packing:
    """What a search came to.

    Attributes
    ----------
    spans : list, optional
        Offset and end of each buffer, in units, if a plan was found.
    impossible : bool
        Whether there is proof that no plan is as small.
    nodes : int
        Partial plans that were looked at.
    """

    spans: list[Span] | None
    impossible: bool
    nodes: int


def pack(problem: IndexedProblem, size: int, nodes: int) -> Packing:
    """Search for a plan of up to `size` units, through about `nodes` partial plans."""
    chance = random.Random(0)
    blame = [0] * len(problem.sizes)
    keys, used, share = _keys(problem, blame), 0, 2.0 * len(blame)
    while used < nodes:
        made = _Search(problem, size, keys, blame).run(min(int(share) + 1, nodes - used))
        used += made.nodes
        if made.spans is not None or made.impossible:
            return Packing(made.spans, made.impossible, used)
        keys = [key * (1 - NOISE * chance.random()) for key in _keys(problem, blame)]
        share *= GROWTH
    return Packing(None, False, used)


def _keys(problem: IndexedProblem, blame: Sequence[int]) -> list[float]:
    """Return for each buffer how early it is to be placed."""
    conflicts = [len(c) for c in problem.conflicts]
    most_conflicts, most_blame = max([1, *conflicts]), max([1, *blame])
    return [
        count / most_conflicts + BLAME * given_up / most_blame
        for count, given_up in zip(conflicts, blame, strict=True)
    ]


@dataclass(frozen=True)
class _Partial:
    """A plan of some buffers; `floors` is the lowest offset for each of the others, `left`."""

    spans: dict[int, Span]
    left: list[int]
    floors: list[int]
    rest: list[int]
    last: int


class _Search:
    def __init__(
        self, problem: IndexedProblem, size: int, keys: Sequence[float], blame: list[int]
    ) -> None:
        self._sizes, self._conflicts = problem.sizes, problem.conflicts
        self._cliques, self._size = problem.cliques, size
        self._keys, self._blame = keys, blame
        self._within: list[list[int]] = [[] for _ in self._sizes]
        for number, clique in enumerate(self._cliques):
            for buffer in clique:
                self._within[buffer].append(number)

    def run(self, nodes: int) -> Packing:
        """Search through up to `nodes` partial plans, depth first."""
        branches = [iter([self._nothing()])]
        for node in range(nodes):
            plan = next(branches[-1], None)
            while plan is None:
                branches.pop()
                if not branches:
                    return Packing(None, True, node)
                plan = next(branches[-1], None)
            if not plan.left:
                return Packing([plan.spans[i] for i in range(len(self._sizes))], False, node)
            branches.append(self._branches(plan))
        return Packing(None, False, nodes)

    def _nothing(self) -> _Partial:
        everything = range(len(self._sizes))
        spans = {i: (0, 0) for i in everything if not self._sizes[i]}
        rest = [sum(self._sizes[i] for i in clique) for clique in self._cliques]
        left = [i for i in everything if self._sizes[i]]
        return _Partial(spans, left, [0] * len(self._sizes), rest, 0)

    def _branches(self, plan: _Partial) -> Iterator[_Partial]:
        """Yield the plan with one buffer more, the one that conflicts most first."""
        if not self._is_hopeful(plan):
            return
        floors, last = plan.floors, plan.last
        # What would leave room for another below it could be put there: such plans are not needed.
        top = min(max(floors[i], last) + self._sizes[i] for i in plan.left)
        fitting = [i for i in plan.left if last <= floors[i] < top]
        for buffer in sorted(fitting, key=lambda i: (floors[i], -self._keys[i], i)):
            yield self._with(plan, buffer)

    def _is_hopeful(self, plan: _Partial) -> bool:
        """Return whether each clique can still take what is left of it."""
        floors, spans = plan.floors, plan.spans
        for clique, rest in zip(self._cliques, plan.rest, strict=True):
            if rest:
                left = [i for i in clique if i not in spans]
                floor = min([floors[i] for i in left])
                if max(floor, plan.last) + rest > self._size:
                    for buffer in left:
                        self._blame[buffer] += 1
                    return False
        return True

    def _with(self, plan: _Partial, buffer: int) -> _Partial:
        offset, size = plan.floors[buffer], self._sizes[buffer]
        floors, rest = plan.floors.copy(), plan.rest.copy()
        for other in self._conflicts[buffer]:
            floors[other] = max(floors[other], offset + size)
        for clique in self._within[buffer]:
            rest[clique] -= size
        left = [i for i in plan.left if i != buffer]
        return _Partial({**plan.spans, buffer: (offset, offset + size)}, left, floors, rest, offset)
