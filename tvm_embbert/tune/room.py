"""Which candidates there is memory for: those that alone already break the limit are not tried."""

from __future__ import annotations

from tvm_embbert.tune.candidate import Candidate
from tvm_embbert.tune.records import Point, Record
from tvm_embbert.tune.whole import Whole, as_schedules


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
        self._whole, self._limit = whole, limit
        self._arenas: dict[tuple[str, int, int], int] = {}

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
