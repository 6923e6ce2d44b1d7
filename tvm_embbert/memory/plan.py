"""Placement: pool and offset of each buffer, and what they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from tvm_embbert.memory.assign import assign
from tvm_embbert.memory.liveness import Block, aligned, by_step, end_of, live_blocks, lower_bound
from tvm_embbert.memory.planners.registry import planner
from tvm_embbert.memory.problem import Algorithm, Placement, problem_of
from tvm_embbert.memory.space import ONE_SPACE, Space
from tvm_embbert.memory.verify import PlanError, verify
from tvm_embbert.program.in_place import ALIGNMENT
from tvm_embbert.program.program import Program

__all__ = ["ALIGNMENT", "DEFAULT_PLANNER", "MemoryPlan", "PlanError", "PoolPlan", "plan_memory"]

DEFAULT_PLANNER = "hill_climb"
"""Planning algorithm where none is asked for."""


@dataclass(frozen=True, eq=False)
class PoolPlan:
    """The buffers of one pool, and where they lie."""

    space: Space
    blocks: tuple[Block, ...]
    placement: Placement

    @property
    def name(self) -> str:
        """Return the pool's name."""
        return self.space.name

    @cached_property
    def size(self) -> int:
        """Return the pool's size in bytes, a multiple of the alignment."""
        end = end_of(self.blocks, self.placement.offsets)
        return max(ALIGNMENT, aligned(end, ALIGNMENT))

    @cached_property
    def lower_bound(self) -> int:
        """Return the bytes in use at once in the worst step."""
        return lower_bound(list(self.blocks), ALIGNMENT)

    @property
    def proved_bound(self) -> int:
        """Return the bytes that no plan of these buffers goes below, as far as it was proved."""
        proved = aligned(self.placement.lower_bound, ALIGNMENT)
        return max(ALIGNMENT, self.lower_bound, proved)


@dataclass(frozen=True, eq=False)
class MemoryPlan:
    """Where each buffer lies, for inputs of up to `length` tokens; pools that hold none are out.

    `planner` is the name of the algorithm.
    """

    length: int
    pools: tuple[PoolPlan, ...]
    planner: str = DEFAULT_PLANNER

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
        return {b.name: (p.name, p.placement.offsets[b.name]) for p in self.pools for b in p.blocks}

    @cached_property
    def lower_bound(self) -> int:
        """Return the bytes in use at once in the worst step, in all pools."""
        return lower_bound(self.blocks, ALIGNMENT)

    @property
    def proved_bound(self) -> int:
        """Return the bytes that no plan of these buffers in these pools goes below."""
        return sum(pool.proved_bound for pool in self.pools)

    @property
    def optimal(self) -> bool:
        """Return whether there is proof that no pool could be smaller."""
        return self.arena <= self.proved_bound

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
    algorithm: str | Algorithm = DEFAULT_PLANNER,
    spaces: Sequence[Space] = ONE_SPACE,
) -> MemoryPlan:
    """Plan the memory of a program, and verify the plan.

    Parameters
    ----------
    program : Program
        The steps and their buffers.
    length : int
        Longest input, in tokens.
    algorithm : str or callable
        Name of a registered algorithm, or one from a problem to a placement.
    spaces : sequence of Space
        Memories that there are, the fastest first.

    Raises
    ------
    UsageError
        There is no algorithm of that name.
    PlanError
        The algorithm's answer is wrong.
    """
    name = algorithm if isinstance(algorithm, str) else getattr(algorithm, "__name__", "callable")
    place = planner(algorithm) if isinstance(algorithm, str) else algorithm
    blocks = live_blocks(program, length)
    shares = assign(program, length, blocks, spaces, ALIGNMENT)
    pools = [
        PoolPlan(space, tuple(share), place(problem_of(share, ALIGNMENT)))
        for space, share in zip(spaces, shares, strict=True)
        if share or len(spaces) == 1
    ]
    plan = MemoryPlan(length, tuple(pools), name)
    verify(program, plan.places, length, {p.name: p.size for p in pools}, ALIGNMENT)
    _check_bounds(plan)
    return plan


def _check_bounds(plan: MemoryPlan) -> None:
    """Raise :class:`PlanError` where an algorithm claims what its own plan refutes."""
    for pool in plan.pools:
        if pool.proved_bound > pool.size:
            raise PlanError(
                f"The bound of {pool.proved_bound} bytes is above the plan's {pool.size}.",
                where=plan.planner,
            )
