"""From trials to records: for each kernel the points that no other beats in speed and scratch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tvm_embbert.tune.records import Point, Record
from tvm_embbert.tune.session import best_among, default_config, lightest, rank
from tvm_embbert.tune.task import Task
from tvm_embbert.tune.trial_log import Trial, TrialLog


def front(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials that none beats in count and scratch, the fastest first.

    Of those that are as fast, that of least code stands for all.
    """
    counted = sorted((t for t in trials if t.count is not None), key=rank)
    kept: list[Trial] = []
    for trial in counted:
        if not kept or trial.scratch < kept[-1].scratch:
            kept.append(lightest(trial, counted))
    return kept


def record_of(task: Task, log: TrialLog, code: int | None = None) -> Record | None:
    """Return the record of a task, with points of at most some bytes of `code` if that is given.

    None where nothing is better than the default.
    """
    light = {k: t for k, t in log.trials.items() if code is None or t.code <= code}
    default = Trial(task.name, default_config(task), None).key
    found = best_among(task, {**light, default: log.trials[default]})
    if not found.improved or found.default.count is None:
        return None
    points = tuple(_points(task, front([t for t in light.values() if t.task == task.name])))
    name = task.implementation.name
    return Record(name, task.signature, task.rows, task.length, found.default.count, points)


def record_by(task: Task, log: TrialLog, chosen: Trial, limited: bool) -> Record | None:
    """Return the record by which a task's kernel is made by a trial; None for the default.

    Further points are slower than it and take less scratch, where code is `limited` no more of it.
    """
    default = log.trials[Trial(task.name, default_config(task), None).key]
    if chosen.key == default.key or default.count is None or chosen.count is None:
        return None
    others = [t for t in log.of(task.name) if not limited or t.code <= chosen.code]
    less = [t for t in others if (t.count or 0) > chosen.count and t.scratch < chosen.scratch]
    points = tuple(_points(task, [chosen, *front(less)]))
    name = task.implementation.name
    return Record(name, task.signature, task.rows, task.length, default.count, points)


def _points(task: Task, trials: Sequence[Trial]) -> Iterator[Point]:
    usual = default_config(task)
    for trial in trials:
        changed = {k: v for k, v in sorted(trial.config.items()) if v != usual[k]}
        yield Point(changed, trial.count or 0, trial.scratch, trial.code)


def records_of(
    tasks: Sequence[Task], log: TrialLog, codes: Mapping[str, int] | None = None
) -> dict[str, list[Record]]:
    """Return the records of all tasks by operator; operators without any are there as well.

    `codes` has the bytes of code that a task's points may take, by its name, where that is limited.
    """
    records: dict[str, list[Record]] = {task.operator: [] for task in tasks}
    for task in tasks:
        record = record_of(task, log, (codes or {}).get(task.name))
        if record is not None:
            records[task.operator].append(record)
    return records
