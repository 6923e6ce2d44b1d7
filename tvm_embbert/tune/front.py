"""From trials to records: for each kernel the points that no other beats in speed and scratch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tvm_embbert.tune.records import Point, Record
from tvm_embbert.tune.session import best_of, default_config
from tvm_embbert.tune.task import Task
from tvm_embbert.tune.trial_log import Trial, TrialLog


def front(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials that none beats in count and scratch, the fastest first."""
    kept: list[Trial] = []
    for trial in sorted((t for t in trials if t.count is not None), key=_order):
        if not kept or trial.scratch < kept[-1].scratch:
            kept.append(trial)
    return kept


def _order(trial: Trial) -> tuple[int, int, int, str]:
    return trial.count or 0, trial.scratch, trial.code, trial.key[1]


def record_of(task: Task, log: TrialLog) -> Record | None:
    """Return the record of a task; None where nothing is better than the default."""
    found = best_of(task, log)
    if not found.improved or found.default.count is None:
        return None
    points = tuple(_points(task, front(log.of(task.name))))
    name = task.implementation.name
    return Record(name, task.signature, task.rows, task.length, found.default.count, points)


def _points(task: Task, trials: Sequence[Trial]) -> Iterator[Point]:
    usual = default_config(task)
    for trial in trials:
        changed = {k: v for k, v in sorted(trial.config.items()) if v != usual[k]}
        yield Point(changed, trial.count or 0, trial.scratch, trial.code)


def records_of(tasks: Sequence[Task], log: TrialLog) -> dict[str, list[Record]]:
    """Return the records of all tasks by operator; operators without any are there as well."""
    records: dict[str, list[Record]] = {task.operator: [] for task in tasks}
    for task in tasks:
        record = record_of(task, log)
        if record is not None:
            records[task.operator].append(record)
    return records
