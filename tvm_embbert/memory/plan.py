"""Placement: pool and offset of each buffer, and what they add up to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tvm_embbert.memory.assign import assign
from tvm_embbert.memory.hill_climb import hill_climb
from tvm_embbert.memory.liveness import Block, aligned, by_step, end_of, live_blocks, lower_bound
from tvm_embbert.memory.space import ONE_SPACE, Space
from tvm_embbert.memory.verify import verify
from tvm_embbert.program.program import Program

ALIGNMENT = 16
"""Bytes that buffers and the arena are aligned to: a vector of Armv8.1-M MVE."""
DEFAULT_PLANNER = "hill_climb"
Algorithm = Callable[[Sequence[Block], int], dict[str, int]]


@dataclass(frozen=True, eq=False)
class PoolPlan:
    """The buffers of one pool, and their offsets in bytes."""

    space: Space
    blocks: tuple[Block, ...]
    offsets: Mapping[str, int]

    @property
    def name(self) -> str:
        """Return the pool's name."""
        return self.space.name

    @cached_property
    def size(self) -> int:
        """Return the pool's size in bytes, a multiple of the alignment."""
        return max(ALIGNMENT, aligned(end_of(self.blocks, self.offsets), ALIGNMENT))

    @cached_property
    def lower_bound(self) -> int:
        """Return the bytes in use at once in the worst step."""
        return lower_bound(list(self.blocks), ALIGNMENT)


@dataclass(frozen=True, eq=False)
class MemoryPlan:
    """Where each buffer lies, for inputs of up to `length` tokens; pools that hold none are out."""

    length: int
    pools: tuple[PoolPlan, ...]

    @property
    def arena(self) -> int:
        """Return the bytes of all pools."""
        return sum(pool.size for pool in self.pools)

    @cached_property
    def blocks(self) -> list[Block]:
        """Return the buffers that have memory of their own."""
        return [block for pool in self.pools for block in pool.blocks]

    @cached_property
    def places(self) -> dict[str, tuple[str, int]]:
        """Return pool and offset of each of them."""
        return {b.name: (p.name, p.offsets[b.name]) for p in self.pools for b in p.blocks}

    @cached_property
    def lower_bound(self) -> int:
        """Return the bytes in use at once in the worst step, in all pools."""
        return lower_bound(self.blocks, ALIGNMENT)

    @property
    def excess(self) -> int:
        """Return the bytes by which pools are larger than the space that there is for them."""
        spaces = [(p.size, p.space.limit) for p in self.pools]
        return sum(max(0, size - limit) for size, limit in spaces if limit is not None)

    def at_peak(self) -> list[Block]:
        """Return the blocks in use in the step that takes the most, the largest first."""
        live = by_step(self.blocks)
        return sorted(max(live, key=lambda bs: sum(b.size for b in bs)), key=lambda b: -b.size)


def plan_memory(
    program: Program,
    length: int,
    algorithm: Algorithm = hill_climb,
    spaces: Sequence[Space] = ONE_SPACE,
) -> MemoryPlan:
    """Plan the memory of a program, and verify the plan.

    Parameters
    ----------
    program : Program
        The steps and their buffers.
    length : int
        Longest input, in tokens.
    algorithm : callable
        From blocks and an alignment to the offset of each block.
    spaces : sequence of Space
        Memories that there are, the fastest first.
    """
    blocks = live_blocks(program, length)
    shares = assign(program, length, blocks, spaces, ALIGNMENT)
    pools = [
        PoolPlan(space, tuple(share), algorithm(share, ALIGNMENT))
        for space, share in zip(spaces, shares, strict=True)
        if share or len(spaces) == 1
    ]
    plan = MemoryPlan(length, tuple(pools))
    verify(program, plan.places, length, {p.name: p.size for p in pools}, ALIGNMENT)
    return plan
