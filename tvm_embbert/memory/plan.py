"""Placement: offsets in the one arena, and what they add up to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from tvm_embbert.memory.hill_climb import hill_climb
from tvm_embbert.memory.liveness import Block, aligned, by_step, end_of, live_blocks, lower_bound
from tvm_embbert.memory.program import Program
from tvm_embbert.memory.verify import verify

ALIGNMENT = 16
"""Bytes that buffers and the arena are aligned to: a vector of Armv8.1-M MVE."""
POOL = "sram"
Algorithm = Callable[[Sequence[Block], int], dict[str, int]]


@dataclass(frozen=True, eq=False)
class MemoryPlan:
    """Where each buffer lies, for inputs of up to `length` tokens."""

    length: int
    blocks: list[Block]
    offsets: dict[str, int]

    @cached_property
    def arena(self) -> int:
        """Return the arena's size in bytes, a multiple of the alignment."""
        return max(ALIGNMENT, aligned(end_of(self.blocks, self.offsets), ALIGNMENT))

    @cached_property
    def lower_bound(self) -> int:
        """Return the bytes in use at once in the worst step."""
        return lower_bound(self.blocks, ALIGNMENT)

    def at_peak(self) -> list[Block]:
        """Return the blocks in use in the step that takes the most, the largest first."""
        live = by_step(self.blocks)
        return sorted(max(live, key=lambda bs: sum(b.size for b in bs)), key=lambda b: -b.size)


def plan_memory(program: Program, length: int, algorithm: Algorithm = hill_climb) -> MemoryPlan:
    """Plan the arena of a program, and verify the plan.

    Parameters
    ----------
    program : Program
        The steps and their buffers.
    length : int
        Longest input, in tokens.
    algorithm : callable
        From blocks and an alignment to the offset of each block.
    """
    blocks = live_blocks(program, length)
    plan = MemoryPlan(length, blocks, algorithm(blocks, ALIGNMENT))
    verify(program, plan.offsets, length, plan.arena, ALIGNMENT)
    return plan
