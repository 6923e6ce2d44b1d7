"""Rewrite a program so that it runs in the segments of a division."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tvm_embbert.fusion.segments import Division, Segment
from tvm_embbert.program.in_place import settle_in_place
from tvm_embbert.program.program import Access, Loop, Program
from tvm_embbert.strategy.operator import Tensor


def tile(program: Program, order: Sequence[int], division: Division) -> Program:
    """Return the program in another order, with loops, and with buffers for one tile.

    Parameters
    ----------
    program : Program
        Without loops.
    order : sequence of int
        Indices of its steps in the order that they are to run.
    division : tuple of Segment
        Positions in that order, each in one segment.
    """
    ordered = replace(program, steps=[program.steps[i] for i in order], in_place={})
    looped = [s for s in division if s.rows]
    local: dict[str, int] = {}
    buffers = dict(program.buffers)
    for segment in looped:
        kept = _local(ordered, segment)
        local |= kept
        buffers |= {n: _tile_buffer(buffers[n], segment.rows + rows) for n, rows in kept.items()}
    loops = tuple(Loop(s.first, s.last, s.rows) for s in looped)
    tiled = replace(ordered, buffers=buffers, loops=loops, local=local)
    return replace(tiled, in_place=settle_in_place(tiled))


def _local(program: Program, segment: Segment) -> Mapping[str, int]:
    """Return the buffers that only the segment touches, by rows, and their rows of history."""
    inside = program.steps[segment.first : segment.last + 1]
    outside = [s for i, s in enumerate(program.steps) if not segment.first <= i <= segment.last]
    crossing = {program.result} | {n for s in outside for n in s.reads}
    local: dict[str, int] = {}
    for step in inside:
        windows = [s.window for s in inside if Access.WINDOW in s.accesses(step.writes)]
        if step.writes not in crossing:
            local[step.writes] = max(windows, default=0)
        local |= {n: 0 for n in step.scratch if step.accesses(n) == [Access.ROWS]}
    return local


def _tile_buffer(buffer: Tensor, rows: int) -> Tensor:
    return replace(buffer, shape=(rows, *buffer.shape[1:]))
