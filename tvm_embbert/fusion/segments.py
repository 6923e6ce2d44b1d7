"""Divide an order into segments: steps that run once for all rows, and loops over tiles of rows.

What crosses from one segment to the next is kept whole; what does not exists for one tile. The
division of least cost within a limit of memory is a shortest path over the positions of the order,
since a segment's memory depends on where it begins and ends alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tvm_embbert.fusion.uses import Span, Uses

CALL_COST = 32
"""Instructions that a kernel call takes beside its rows: the mean of the portable kernels of the
shipped model on a Cortex-M4, in tiles of 1 to 16 rows. For other kernels it is an estimate."""
MOVED_BYTES = 2
"""Bytes of a window that one instruction moves: an estimate."""
HEIGHTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
"""Rows of a tile that are tried."""


@dataclass(frozen=True)
class Segment:
    """Steps `first` to `last` of an order; `rows` at a time, or all rows at once if that is 0.

    ``peak`` is the bytes in use in the fullest step, `cost` the instructions for calls and moves.
    """

    first: int
    last: int
    rows: int
    peak: int
    cost: int


Division = tuple[Segment, ...]


class Divider:
    """The segments that are possible in one order, and the best choice of them.

    `row_costs` are the instructions that a row takes in each step of the order.
    """

    def __init__(
        self,
        uses: Uses,
        length: int,
        alignment: int,
        heights: Sequence[int] = HEIGHTS,
        row_costs: Sequence[int] = (),
    ) -> None:
        self._count = len(uses.steps)
        self._blocks = [step.row_block for step in uses.steps]
        self._row_costs = row_costs or [0] * self._count
        self._alignment, self._length = alignment, length
        lower = sorted({min(h, length) for h in heights})
        self._segments: list[list[Segment]] = [[] for _ in uses.steps]
        for first in range(self._count):
            self._add(uses.spans(first, first), (first, first), [0])
            last = first + 1
            while lower and last < self._count and uses.can_loop(first, last):
                self._add(uses.spans(first, last), (first, last), lower)
                last += 1

    def least_peak(self) -> int:
        """Return the least bytes in which the fullest step of any division fits."""
        best = self._best(lambda s, before: max(s.peak, before), lambda s: True)
        return max((s.peak for s in best or ()), default=0)

    def within(self, limit: int) -> Division | None:
        """Return the division of least cost whose fullest step takes at most `limit` bytes."""
        return self._best(lambda s, before: s.cost + before, lambda s: s.peak <= limit)

    def _best(
        self, total: Callable[[Segment, int], int], allowed: Callable[[Segment], bool]
    ) -> Division | None:
        """Return the division of the least total, built from the end of the order."""
        best: list[tuple[int, Division] | None] = [None] * self._count + [(0, ())]
        for first in reversed(range(self._count)):
            for segment in filter(allowed, self._segments[first]):
                rest = best[segment.last + 1]
                if rest is None:
                    continue
                value = total(segment, rest[0])
                known = best[first]
                if known is None or value < known[0]:
                    best[first] = (value, (segment, *rest[1]))
        start = best[0]
        return start[1] if start else None

    def _add(self, spans: list[Span], place: tuple[int, int], heights: Sequence[int]) -> None:
        first, last = place
        moved = sum(s.row * s.history for s in spans) // MOVED_BYTES
        for rows in heights:
            tiles = -(-self._length // rows) if rows else 1
            waste = self._waste(first, last, rows) if rows else 0
            cost = tiles * ((last - first + 1) * CALL_COST + moved + waste)
            peak = self._peak(spans, place, rows)
            self._segments[first].append(Segment(first, last, rows, peak, cost))

    def _waste(self, first: int, last: int, rows: int) -> int:
        """Return what a tile costs by the rows that fill up the last block of each kernel."""
        steps = range(first, last + 1)
        return sum(-rows % self._blocks[i] * self._row_costs[i] for i in steps)

    def _peak(self, spans: list[Span], place: tuple[int, int], rows: int) -> int:
        sizes = [(s.first, s.last, s.bytes(rows, self._alignment)) for s in spans]
        steps = range(place[0], place[1] + 1)
        return max(sum(size for a, b, size in sizes if a <= i <= b) for i in steps)
