"""A planning problem in small whole numbers, for the inner loops of algorithms.

Buffers are numbers, in the order of their names, so that nothing depends on the order in which they
were given. Sizes are multiples of a unit: the alignment times the greatest factor that all sizes
have in common. That loses nothing, because some smallest plan stacks each buffer on others or on
the arena's start: its offsets, and its end, are sums of sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import gcd

from tvm_embbert.memory.problem import Placement, Problem

Span = tuple[int, int]
"""Offset and end of a buffer, in units."""

MOST_SUMS = 1 << 22
"""Units above which sums of sizes are not listed: a bit each."""


@dataclass(frozen=True, eq=False)
class IndexedProblem:
    """Sizes and bound in units, and for each buffer the numbers of those in conflict with it."""

    names: Sequence[str]
    sizes: Sequence[int]
    conflicts: Sequence[Sequence[int]]
    unit: int
    lower_bound: int
    limit: int

    def next_end(self, least: int) -> int:
        """Return the least sum of sizes that is no less: no smallest plan ends in between."""
        later = self._sums >> least
        return least + ((later & -later).bit_length() - 1 if later else 0)

    def placement(self, spans: Sequence[Span], lower_bound: int) -> Placement:
        """Return the offsets of spans, and a bound in units, in bytes."""
        offsets = {n: s[0] * self.unit for n, s in zip(self.names, spans, strict=True)}
        return Placement(offsets, lower_bound * self.unit)

    @cached_property
    def _sums(self) -> int:
        """Return a number whose bit i says whether some buffers take i units together."""
        if sum(self.sizes) > MOST_SUMS:
            return 0
        sums = 1
        for size in self.sizes:
            sums |= sums << size
        return sums

    @cached_property
    def cliques(self) -> list[list[int]]:
        """Return sets of buffers that all conflict with each other; each conflict is in one."""
        adjacent = [set(c) for c in self.conflicts]
        covered: set[tuple[int, int]] = set()
        found = []
        for a, others in enumerate(self.conflicts):
            for b in others or [a]:
                if (a, b) not in covered:
                    found.append(self._clique(adjacent, a, b))
                    covered |= {(i, j) for i in found[-1] for j in found[-1]}
        return found

    @property
    def heaviest_clique(self) -> int:
        """Return the most units that one of these sets takes; no plan takes less."""
        return max((sum(self.sizes[i] for i in clique) for clique in self.cliques), default=0)

    def _clique(self, adjacent: Sequence[set[int]], a: int, b: int) -> list[int]:
        """Extend a conflict as far as it goes, by whoever has the most in common with it first."""
        members = {a, b}
        common = (adjacent[a] & adjacent[b]) - members
        while common:
            most = max(common, key=lambda i: (len(adjacent[i] & common), self.sizes[i], -i))
            members.add(most)
            common &= adjacent[most]
        return sorted(members)


def index(problem: Problem) -> IndexedProblem:
    """Return a problem in numbers; buffers without a byte conflict with nothing."""
    names = sorted(problem.sizes)
    number = {name: i for i, name in enumerate(names)}
    blocks = [-(-problem.sizes[name] // problem.alignment) for name in names]
    factor = gcd(*blocks) or 1
    unit = problem.alignment * factor
    conflicts = [
        sorted(number[o] for o in problem.conflicts[name] if problem.sizes[name] * problem.sizes[o])
        for name in names
    ]
    return IndexedProblem(
        names=names,
        sizes=[size // factor for size in blocks],
        conflicts=conflicts,
        unit=unit,
        lower_bound=-(-problem.lower_bound // unit),
        limit=0 if problem.limit is None else problem.limit // unit,
    )


def end_of_spans(spans: Sequence[Span]) -> int:
    """Return the end of a plan, in units."""
    return max((end for _, end in spans), default=0)
