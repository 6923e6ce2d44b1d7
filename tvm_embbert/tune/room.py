"""Which candidates there is memory for: those that alone already break the limit are not tried."""

from __future__ import annotations

from dataclasses import replace

from tvm_embbert.strategy.knobs import Config, Knob, Value
from tvm_embbert.tune.candidate import Candidate
from tvm_embbert.tune.meter import invalid
from tvm_embbert.tune.records import Point, Record
from tvm_embbert.tune.session import default_config
from tvm_embbert.tune.task import Task
from tvm_embbert.tune.whole import Whole, as_schedules

TOLERANCE = 50
"""A candidate may break the limit by this share of it."""


class Room:
    """Plans the whole model with one candidate, the other kernels untuned.

    Parameters
    ----------
    whole : Whole
        Makes whole models.
    limit : int
        Bytes that the arena may take.
    """

    def __init__(self, whole: Whole, limit: int) -> None:
        # The other kernels may come to take less, and tiles that suit this one better.
        self._whole, self._limit = whole, limit + limit // TOLERANCE
        self._arenas: dict[tuple[str, int, int], int] = {}

    def narrow(self, task: Task) -> Task:
        """Return the task without values of knobs that there is no room for.

        A value stays if there is room for it with the defaults, or with one other value beside.
        """
        usual = default_config(task)
        return replace(
            task, narrowed=tuple(self._narrowed(task, knob, usual) for knob in task.knobs)
        )

    def _narrowed(self, task: Task, knob: Knob, usual: Config) -> Knob:
        kept = [v for v in knob.values if v == knob.default or self._fits(task, knob, v, usual)]
        return replace(knob, values=tuple(kept))

    def _fits(self, task: Task, knob: Knob, value: Value, usual: Config) -> bool:
        beside = ({other.name: v} for other in task.knobs if other != knob for v in other.values)
        tried = (Candidate(task, {**usual, **b, knob.name: value}) for b in ({}, *beside))
        return any(not invalid(c) and not self.refusal(c) for c in tried)

    def refusal(self, candidate: Candidate) -> str:
        """Return why there is no room for a candidate, or the empty string."""
        arena = self._arena(candidate)
        if arena <= self._limit:
            return ""
        return f"the arena would take {arena} bytes, more than {self._limit}"

    def _arena(self, candidate: Candidate) -> int:
        """Return the arena; candidates of as much scratch and as many rows share a plan."""
        kernel = candidate.kernel
        key = (candidate.task.name, candidate.scratch_bytes, kernel.row_block)
        if key not in self._arenas:
            self._arenas[key] = self._planned(candidate)
        return self._arenas[key]

    def _planned(self, candidate: Candidate) -> int:
        task = candidate.task
        point = Point(dict(candidate.config), 0, candidate.scratch_bytes, 0)
        name = task.implementation.name
        record = Record(name, task.signature, task.rows, task.length, 0, (point,))
        schedules = as_schedules({task.operator: [record]})
        return self._whole.lower(schedules).plan.arena
