"""Check a memory plan against the program, sharing nothing with the planner.

It replays the steps over an arena in which each byte remembers which buffer was written there last,
and finds any step that would read a byte which another buffer has taken since.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tvm_embbert.errors import EmbBertError
from tvm_embbert.memory.program import Program, Step


class PlanError(EmbBertError):
    """A memory plan is wrong: a defect of a planning algorithm, not of the user's input."""


def verify(
    program: Program, offsets: Mapping[str, int], length: int, arena: int, alignment: int
) -> None:
    """Raise :class:`PlanError` if the plan lets buffers collide, stray or lose alignment."""
    replay = _Replay(program, offsets, length, arena, alignment)
    for step in program.steps:
        replay.run(step)


class _Replay:
    def __init__(
        self, program: Program, offsets: Mapping[str, int], length: int, arena: int, alignment: int
    ) -> None:
        self._program, self._offsets = program, offsets
        self._length, self._arena, self._alignment = length, arena, alignment
        self._owners = np.full(arena, -1, np.int64)
        self._ids = {name: number for number, name in enumerate(program.buffers)}

    def run(self, step: Step) -> None:
        """Check what a step reads, then note what it writes."""
        for name in step.reads:
            self._check_intact(step, name)
        held = [self._span(n) for n in step.reads if not self._is_successor(step.writes, n)]
        for name in (*step.scratch, step.writes):
            span = self._span(name)
            for other in held:
                if span and other and max(span[0], other[0]) < min(span[1], other[1]):
                    raise self._error(step, f"{name} overlaps what the step reads or writes")
            held.append(span)
            if span:
                self._owners[span[0] : span[1]] = self._ids[name]

    def _is_successor(self, result: str, source: str) -> bool:
        return self._program.in_place.get(result) == source

    def _span(self, name: str) -> tuple[int, int] | None:
        """Return the bytes of a buffer, or None for the caller's memory."""
        if name in (self._program.input, self._program.result):
            return None
        place = name
        while place in self._program.in_place:
            place = self._program.in_place[place]
        if place not in self._offsets:
            raise PlanError(f"The plan has no place for {name}.")
        start = self._offsets[place]
        end = start + self._program.buffers[name].size(self._length)
        if start < 0 or end > self._arena or start % self._alignment:
            raise PlanError(f"{name} lies at {start} to {end}, outside the arena or misaligned.")
        return start, end

    def _check_intact(self, step: Step, name: str) -> None:
        span = self._span(name)
        if span and not (self._owners[span[0] : span[1]] == self._ids[name]).all():
            raise self._error(step, f"{name} was overwritten before it is read")

    def _error(self, step: Step, what: str) -> PlanError:
        return PlanError(f"The memory plan is wrong: {what}.", where=step.name)
