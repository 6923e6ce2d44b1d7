"""What a planning algorithm is given, and what it answers: buffers and conflicts in, offsets out.

Algorithms know nothing of steps and lifetimes: any symmetric relation of conflicts will do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tvm_embbert.memory.liveness import Block, aligned, lower_bound


@dataclass(frozen=True)
class Problem:
    """Buffers to place in one arena.

    Attributes
    ----------
    sizes : mapping
        Bytes of each buffer, by name; not aligned.
    conflicts : mapping
        For each buffer those that it may not overlap; symmetric, and no buffer is among its own.
    alignment : int
        Bytes; offsets must be multiples of it.
    lower_bound : int
        Bytes that no plan goes below, such as the most bytes live at once, a multiple of the
        alignment.
    limit : int, optional
        Bytes there are, if an algorithm may stop as soon as its plan fits; it may go on as well.
    """

    sizes: Mapping[str, int]
    conflicts: Mapping[str, frozenset[str]]
    alignment: int
    lower_bound: int
    limit: int | None = None


@dataclass(frozen=True)
class Placement:
    """What a planning algorithm answers.

    Attributes
    ----------
    offsets : mapping
        Bytes from the arena's start, by buffer; multiples of the alignment.
    lower_bound : int
        Bytes; proved: no plan has its end below.
    """

    offsets: Mapping[str, int]
    lower_bound: int

    def end(self, problem: Problem) -> int:
        """Return the first byte behind all buffers, aligned."""
        ends = (self.offsets[name] + size for name, size in problem.sizes.items())
        return aligned(max(ends, default=0), problem.alignment)

    def is_optimal(self, problem: Problem) -> bool:
        """Return whether no plan can be smaller, as far as the algorithm proved it."""
        return self.end(problem) <= self.lower_bound


Algorithm = Callable[[Problem], Placement]


def problem_of(blocks: Sequence[Block], alignment: int) -> Problem:
    """Return the problem of placing blocks, of which those conflict that share a step."""
    conflicts = {
        block.name: frozenset(o.name for o in blocks if o is not block and o.conflicts(block))
        for block in blocks
    }
    bound = lower_bound(list(blocks), alignment)
    return Problem({b.name: b.size for b in blocks}, conflicts, alignment, bound)
