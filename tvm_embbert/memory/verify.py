"""Check a memory plan against the program's schedule, sharing nothing with the planner.

It replays the schedule as it is emitted, loops tile by tile, over memories in which each byte
remembers which row of which buffer was written there last, and finds any step that would read a
byte which something else has taken since, or that was never written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tvm_embbert.errors import EmbBertError
from tvm_embbert.program.program import Access, Loop, Program, Step


class PlanError(EmbBertError):
    """A memory plan is wrong: a defect of a planning algorithm, not of the user's input."""


Places = Mapping[str, tuple[str, int]]
"""Pool and offset of each buffer that has memory of its own."""


def verify(
    program: Program, places: Places, length: int, sizes: Mapping[str, int], alignment: int
) -> None:
    """Raise :class:`PlanError` if the plan lets buffers collide, stray or lose alignment.

    Parameters
    ----------
    program : Program
        The schedule.
    places : mapping
        Pool and offset in bytes of each buffer.
    length : int
        Tokens of the input that is replayed: the greatest length.
    sizes : mapping
        Bytes of each pool.
    alignment : int
        What offsets must be multiples of.
    """
    replay = _Replay(program, places, length, sizes, alignment)
    index = 0
    while index < len(program.steps):
        loop = next((x for x in program.loops if x.first == index), None)
        if loop is None:
            replay.run(program.steps[index], _Tile(0, length))
        else:
            replay.repeat(loop)
        index = index + 1 if loop is None else loop.last + 1


@dataclass(frozen=True)
class _Tile:
    """Rows `first` to ``first + rows - 1`` of a loop, or all rows outside of any."""

    first: int
    rows: int


@dataclass(frozen=True)
class _Range:
    """Bytes of a pool, and the rows of the buffer that they hold, a row after the other."""

    pool: str
    start: int
    end: int
    first_row: int


class _Replay:
    def __init__(
        self,
        program: Program,
        places: Places,
        length: int,
        sizes: Mapping[str, int],
        alignment: int,
    ) -> None:
        self._program, self._places, self._length = program, places, length
        self._sizes, self._alignment = sizes, alignment
        self._rows = {pool: np.full(size, -1, np.int64) for pool, size in sizes.items()}
        self._ids = {name: number for number, name in enumerate(program.buffers)}
        self._kept = {n: rows for n, rows in program.local.items() if rows}
        self._room: dict[str, int] = {}
        for name, buffer in program.buffers.items():
            owner, size = self._owner(name), buffer.size(length)
            self._room[owner] = max(size, self._room.get(owner, 0))

    def repeat(self, loop: Loop) -> None:
        """Run a loop's steps for tile after tile, and keep the rows that later tiles read."""
        for first in range(0, self._length, loop.rows):
            tile = _Tile(first, min(loop.rows, self._length - first))
            for index in loop.steps:
                self.run(self._program.steps[index], tile)
            for index in loop.steps:
                self._keep(self._program.steps[index].writes, tile)

    def run(self, step: Step, tile: _Tile) -> None:
        """Check what a step reads, then note what it writes."""
        reads = [(n, self._read(step, n, a, tile)) for n in step.reads for a in step.accesses(n)]
        reads += [(n, self._whole(n)) for n in step.reads if not step.accesses(n)]
        for name, span in reads:
            self._check_intact(step, name, span)
        held = [s for n, s in reads if self._program.in_place.get(step.writes) != n]
        for name in (*step.scratch, step.writes):
            span = self._whole(name) if name in step.scratch else self._written(step, name, tile)
            for other in held:
                if span and other and _overlap(span, other):
                    raise self._error(step, f"{name} overlaps what the step reads or writes")
            held.append(span)
            self._mark(name, span)

    def _read(self, step: Step, name: str, access: Access, tile: _Tile) -> _Range | None:
        if access is Access.WHOLE:
            return self._whole(name)
        before = min(tile.first, step.window) if access is Access.WINDOW else 0
        rows = _row_count(step, tile)
        return self._span(name, tile.first - before, before + rows, tile)

    def _written(self, step: Step, name: str, tile: _Tile) -> _Range | None:
        if step.accesses(name) != [Access.ROWS]:
            return self._whole(name)
        return self._span(name, tile.first, _row_count(step, tile), tile)

    def _whole(self, name: str) -> _Range | None:
        place = self._place(name)
        if place is None:
            return None
        size = self._program.buffers[name].size(self._length)
        return self._inside(name, place, 0, size, 0)

    def _span(self, name: str, first: int, rows: int, tile: _Tile) -> _Range | None:
        """Return the bytes of some rows: behind the kept ones where the buffer holds a tile."""
        place = self._place(name)
        if place is None:
            return None
        size = self._row_bytes(name)
        at = first
        if name in self._program.local:
            at = first - tile.first + self._kept.get(name, 0)
        return self._inside(name, place, at * size, (at + rows) * size, first)

    def _row_bytes(self, name: str) -> int:
        buffer = self._program.buffers[name]
        rows = buffer.shape[0] if buffer.shape else 1
        return buffer.size(self._length) // (rows if isinstance(rows, int) else self._length)

    def _place(self, name: str) -> tuple[str, int] | None:
        """Return a buffer's pool and offset, or None for the caller's memory."""
        if name in (self._program.input, self._program.result):
            return None
        owner = self._owner(name)
        if owner not in self._places:
            raise PlanError(f"The plan has no place for {name}.")
        pool, offset = self._places[owner]
        return pool, offset + self._room[owner] - self._program.buffers[name].size(self._length)

    def _owner(self, name: str) -> str:
        """Return the buffer whose memory a buffer shares, both to the same last byte."""
        while name in self._program.in_place:
            name = self._program.in_place[name]
        return name

    def _inside(self, name: str, place: tuple[str, int], begin: int, end: int, row: int) -> _Range:
        pool, offset = place
        begin, end = offset + begin, offset + end
        if offset % self._alignment or begin < 0 or end > self._sizes.get(pool, -1):
            raise PlanError(f"{name} lies at {begin} to {end}, outside the arena or misaligned.")
        return _Range(pool, begin, end, row)

    def _tags(self, name: str, span: _Range) -> NDArray[np.int64]:
        """Return what the bytes of these rows remember when they are as they were written."""
        size = max(1, self._row_bytes(name))
        rows = span.first_row + np.arange(span.end - span.start) // size
        return (self._ids[name] << 32) + rows

    def _mark(self, name: str, span: _Range | None) -> None:
        if span:
            self._rows[span.pool][span.start : span.end] = self._tags(name, span)

    def _check_intact(self, step: Step, name: str, span: _Range | None) -> None:
        if span is None:
            return
        found = self._rows[span.pool][span.start : span.end]
        if not np.array_equal(found, self._tags(name, span)):
            raise self._error(step, f"{name} was overwritten before it is read")

    def _keep(self, name: str, tile: _Tile) -> None:
        """Move the last rows of a window to its front, as the emitted loop does."""
        history, place = self._kept.get(name), self._place(name)
        if history and place:
            pool, offset = place
            size, memory = self._row_bytes(name), self._rows[pool]
            start, moved = offset + tile.rows * size, history * size
            memory[offset : offset + moved] = memory[start : start + moved].copy()

    def _error(self, step: Step, what: str) -> PlanError:
        return PlanError(f"The memory plan is wrong: {what}.", where=step.name)


def _row_count(step: Step, tile: _Tile) -> int:
    """Return the rows that a step computes: of a fixed number, that number."""
    fixed = step.dims.get("rows", "n")
    return fixed if isinstance(fixed, int) else tile.rows


def _overlap(a: _Range, b: _Range) -> bool:
    return a.pool == b.pool and max(a.start, b.start) < min(a.end, b.end)
