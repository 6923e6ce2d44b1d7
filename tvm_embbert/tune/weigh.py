"""Weigh what was found against the whole model: tiles, blocks that fill them, scratch, limits.

Kernels that share a tile should have blocks that divide its rows, so the best candidates of each
height of block are measured again at the rows of each height of tile, and the model is built with
the best of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tvm_embbert.errors import BudgetError
from tvm_embbert.lowering import Lowered
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.tune.candidate import Candidate
from tvm_embbert.tune.front import records_of
from tvm_embbert.tune.records import Record
from tvm_embbert.tune.session import Recorder, default_config
from tvm_embbert.tune.slim import light_candidates, smaller_codes
from tvm_embbert.tune.slower import ranked_against
from tvm_embbert.tune.task import Identity, Task
from tvm_embbert.tune.trial_log import TrialLog
from tvm_embbert.tune.whole import Counted, Limits, Whole, losses

PER_BLOCK = 2
"""Candidates of each height of block on a shortlist."""

WORSE = 1.5
"""Candidates that took so much more than the best are not on it."""

SLIMMED = 4
"""How often a model with too much code is made again with less."""

HEIGHTS_BUILT = 3
"""Heights of tiles with which the whole model is built: those with the best sums."""

TasksOf = Callable[[int], Sequence[Task]]
"""Returns the tasks at some rows of a tile."""


@dataclass(frozen=True, eq=False)
class Weighed:
    """The whole model before and after, the records that make the difference, and the rows that
    kernels were measured at for it; 0 where none of the tuned models was better."""

    before: Counted
    after: Counted
    records: dict[str, list[Record]]
    rows: int = 0


@dataclass(frozen=True, eq=False)
class Weigher:
    """Weighs the trials of a session.

    Attributes
    ----------
    whole : Whole
        Makes whole models.
    log : TrialLog
        The trials.
    tasks_of : callable
        The tasks at some rows.
    recorder_of : callable
        Measures such tasks, and remembers.
    count : callable
        Counts a whole model.
    """

    whole: Whole
    log: TrialLog
    tasks_of: TasksOf
    recorder_of: Callable[[Sequence[Task]], Recorder]
    count: Callable[[Lowered], Counted]

    def weigh(self, tasks: Sequence[Task], before: Counted, limits: Limits) -> Weighed:
        """Return the best model that keeps the limits.

        Parameters
        ----------
        tasks : sequence of Task
            As they were tuned.
        before : Counted
            The untuned model.
        limits : Limits
            Bytes of arena and of code.
        """
        best = Weighed(before, before, no_schedules_of(tasks))
        rank = ranked_against(before)
        for rows, found in self._by_height(tasks, limits.arena):
            for after, used in self._within_code(tasks, before, found, (limits, rows)):
                better = rank(after) < rank(best.after) or not limits.kept_by(best.after)
                if better and limits.kept_by(after):
                    best = Weighed(before, after, used, rows)
        if not limits.kept_by(best.after):
            raise _too_small(limits, before)
        return best

    def _within_code(
        self,
        tasks: Sequence[Task],
        before: Counted,
        records: dict[str, list[Record]],
        bounds: tuple[Limits, int],
    ) -> Iterator[tuple[Counted, dict[str, list[Record]]]]:
        """Yield counted models, and as long as their code is too large, smaller ones."""
        (limits, rows), codes = bounds, dict[str, int]()
        at_height: list[Task] = []
        for _ in range(SLIMMED):
            made = list(self._without_losses(before, records, limits.arena, rows))
            yield from made
            excess = min((limits.excess(after) for after, _ in made), default=0)
            if not excess:
                return
            at_height = at_height or self._measure_light(tasks, rows)
            smaller = smaller_codes(at_height, self.log, codes, excess)
            if smaller is None:
                return
            codes = smaller
            records = records_of(at_height, self.log, codes)

    def _measure_light(self, tasks: Sequence[Task], rows: int) -> list[Task]:
        """Measure candidates of little code at a height; returns the tasks there."""
        light = {t.identity: light_candidates(t, self.log, WORSE) for t in tasks}
        at_height = [t for t in self.tasks_of(rows) if t.identity in light]
        self._measure(at_height, light)
        return at_height

    def _by_height(
        self, tasks: Sequence[Task], limit: int
    ) -> list[tuple[int, dict[str, list[Record]]]]:
        """Return records for the heights of tiles that promise most."""
        short = {task.identity: shortlist(task, self.log) for task in tasks}
        promised = []
        for rows in self.whole.heights(limit):
            at_height = [t for t in self.tasks_of(rows) if t.identity in short]
            total = self._measure(at_height, short)
            promised.append((total, rows, records_of(at_height, self.log)))
        promised.sort(key=lambda p: p[:2])
        return [(rows, records) for _, rows, records in promised[:HEIGHTS_BUILT]]

    def _measure(self, tasks: Sequence[Task], short: Mapping[Identity, Sequence[Config]]) -> float:
        """Measure shortlists at a height; returns what an inference takes by the best."""
        recorder = self.recorder_of(tasks)
        wanted = [(t.name, c) for t in tasks for c in (default_config(t), *short[t.identity])]
        recorder.measure(wanted)
        return sum(
            min(t.count for t in self.log.of(task.name) if t.count is not None) * task.runs
            for task in tasks
        )

    def _without_losses(
        self, before: Counted, records: dict[str, list[Record]], limit: int, rows: int
    ) -> Iterator[tuple[Counted, dict[str, list[Record]]]]:
        """Yield counted models; once more without the records of operators that take more."""
        for lowered in self.whole.fitting(records, limit, rows):
            after = self.count(lowered)
            yield after, records
            lost = losses(before, after).keys() & {op for op, found in records.items() if found}
            if lost:
                kept = {op: [] if op in lost else found for op, found in records.items()}
                for again in self.whole.fitting(kept, limit, rows)[:1]:
                    yield self.count(again), kept


def no_schedules_of(tasks: Sequence[Task]) -> dict[str, list[Record]]:
    """Return no records, by operator."""
    return {task.operator: [] for task in tasks}


def shortlist(task: Task, log: TrialLog) -> list[Config]:
    """Return the best candidates of a task for each height of block."""
    counted = sorted((t.count, t.key[1], t.config) for t in log.of(task.name) if t.count)
    found: dict[int, list[Config]] = {}
    for total, _, config in counted:
        if total <= WORSE * counted[0][0]:
            found.setdefault(Candidate(task, config).kernel.row_block, []).append(config)
    return [config for configs in found.values() for config in configs[:PER_BLOCK]]


def _too_small(limits: Limits, before: Counted) -> BudgetError:
    told = f"an arena of at most {limits.arena:,} bytes"
    told += "" if limits.code is None else f" and at most {limits.code:,} bytes of code"
    return BudgetError(
        f"No tuned model has {told}.",
        where="--arena" if limits.code is None else "--arena, --code",
        supported=f"what the untuned model takes: {before.arena:,} and {before.code:,} bytes",
        hint="Give more, or more trials.",
    )
