"""Choose the loops of a program: the fewest instructions that a limit of memory allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tvm_embbert.errors import UsageError
from tvm_embbert.fusion.order import Order, candidate_orders
from tvm_embbert.fusion.row_cost import row_costs
from tvm_embbert.fusion.segments import HEIGHTS, Divider, Division
from tvm_embbert.fusion.tile import tile
from tvm_embbert.fusion.uses import Uses
from tvm_embbert.memory.plan import ALIGNMENT, MemoryPlan
from tvm_embbert.memory.space import Space
from tvm_embbert.program.program import Program

SLACK_SHARE = 20
SLACK_BYTES = 3584
"""Without a budget, loops may take a twentieth more than the least memory, or 3.5 KiB more: taller
tiles mean fewer calls of kernels, and gain the less the taller they are."""

Planner = Callable[[Program, Sequence[Space]], MemoryPlan]


@dataclass(frozen=True, eq=False)
class Fused:
    """A program with its loops and its plan, and the instructions that the loops are thought to
    add: an estimate."""

    program: Program
    plan: MemoryPlan
    cost: int


def fuse(
    program: Program,
    length: int,
    planner: Planner,
    spaces: Sequence[Space],
    tile_rows: int | None = None,
) -> Fused:
    """Fuse what can run row by row, and plan the memory.

    Parameters
    ----------
    program : Program
        Without loops.
    length : int
        Longest input, in tokens.
    planner : callable
        Plans a program's memory in given spaces.
    spaces : sequence of Space
        Memories; with limits, the loops are chosen so that the plan fits, if any does.
    tile_rows : int, optional
        Rows of every tile; 0 for no loops at all. Chosen where it is not given.

    Returns
    -------
    Fused
        The cheapest that fits, or the smallest where none does.
    """
    if tile_rows is not None and tile_rows < 0:
        raise UsageError(
            f"Tiles cannot have {tile_rows} rows.",
            where="tile_rows",
            supported="0 (no loops) or more",
        )
    options = _Options(program, length, tile_rows)
    target = _target(options.least, spaces, tile_rows)
    best: Fused | None = None
    for fused in options.fused(planner, spaces, target):
        if best is None or _size(fused) < _size(best):
            best = fused
        if not fused.plan.excess and fused.plan.arena <= target:
            break
    return best or Fused(program, planner(program, spaces), 0)


def _size(fused: Fused) -> tuple[bool, int]:
    return fused.plan.excess > 0, fused.plan.arena


def _target(least: int, spaces: Sequence[Space], tile_rows: int | None) -> int:
    """Return the bytes that all buffers together may take."""
    target = least if tile_rows else least + max(least // SLACK_SHARE, SLACK_BYTES)
    limits = [space.limit for space in spaces]
    room = sum(limit for limit in limits if limit is not None)
    return target if None in limits else min(target, room)


class _Options:
    """Every order of the steps with the loops that it allows."""

    def __init__(self, program: Program, length: int, tile_rows: int | None) -> None:
        self._program = program
        chosen = HEIGHTS if tile_rows is None else (tile_rows,)
        heights = [h for h in chosen if 0 < h < length]
        costs = row_costs(program, length)
        self._dividers: list[tuple[Order, Divider]] = []
        for order in candidate_orders(program.steps):
            ordered = [costs[i] for i in order]
            uses = Uses(program, order, length)
            divider = Divider(uses, length, ALIGNMENT, heights, ordered)
            self._dividers.append((order, divider))
        self.least = min(divider.least_peak() for _, divider in self._dividers)

    def fused(self, planner: Planner, spaces: Sequence[Space], limit: int) -> Iterator[Fused]:
        """Yield programs from the cheapest within a limit down to the smallest."""
        limit = max(limit, self.least)
        while (found := self._cheapest(limit)) is not None:
            order, division = found
            program = tile(self._program, order, division)
            yield Fused(program, planner(program, spaces), sum(s.cost for s in division))
            limit = max(s.peak for s in division) - 1

    def _cheapest(self, limit: int) -> tuple[Order, Division] | None:
        within = [(order, d.within(limit)) for order, d in self._dividers]
        found = [(order, division) for order, division in within if division is not None]
        return min(found, key=lambda f: _rank(f[1]), default=None)


def _rank(division: Division) -> tuple[int, int]:
    return sum(s.cost for s in division), max((s.peak for s in division), default=0)
