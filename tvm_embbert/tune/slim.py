"""Less code where a model has too much: kernels that are little slower and a good deal smaller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tvm_embbert.strategy.knobs import Config
from tvm_embbert.tune.session import default_config, lightest, rank
from tvm_embbert.tune.task import Task
from tvm_embbert.tune.trial_log import Trial, TrialLog

Codes = Mapping[str, int]
"""Bytes of code that a task's kernel may take, by the task's name."""


def smaller_codes(
    tasks: Sequence[Task], log: TrialLog, codes: Codes, excess: int
) -> dict[str, int] | None:
    """Return limits of code by which all kernels take some bytes less, at the least cost in counts.

    Parameters
    ----------
    tasks : sequence of Task
        As they run in the model.
    log : TrialLog
        Their trials.
    codes : mapping
        The limits so far.
    excess : int
        Bytes to save, by the kernels' own sizes: kernels of a model share intrinsics.

    Returns
    -------
    None where no kernel can be smaller any more.
    """
    made, saved, spent = dict(codes), 0, 0.0
    ways: list[tuple[float, dict[str, int]]] = []
    while saved < excess:
        steps = [step for task in tasks for step in _steps(task, log, made)]
        if not steps:
            break
        # One more step may be enough; it need not be the one that costs least a byte.
        last = [(each * less, name, code) for each, less, name, code in steps]
        enough = [
            step for step, (_, less, *_) in zip(last, steps, strict=True) if saved + less >= excess
        ]
        if enough:
            cost, name, code = min(enough)
            ways.append((spent + cost, {**made, name: code}))
        each, less, name, code = min(steps)
        made[name], saved, spent = code, saved + less, spent + each * less
    return min(ways, key=lambda way: way[0])[1] if ways else None


def _steps(task: Task, log: TrialLog, codes: Codes) -> Iterator[tuple[float, int, str, int]]:
    """Yield smaller kernels: the cost of each byte less, bytes less, the task, bytes left."""
    within = _within(task, log, codes.get(task.name))
    if not within:
        return
    now = lightest(min(within, key=rank), within)
    for trial in within:
        if trial.code < now.code and trial.scratch <= now.scratch:
            less = now.code - trial.code
            cost = max(0, (trial.count or 0) - (now.count or 0)) * task.runs
            yield cost / less, less, task.name, trial.code


def _within(task: Task, log: TrialLog, code: int | None) -> list[Trial]:
    """Return the trials within a limit of code: the default, and what is better than it."""
    default = log.trials[Trial(task.name, default_config(task), None).key]
    counted = [t for t in log.of(task.name) if t.count is not None]
    better = [t for t in counted if t is default or (t.count or 0) < (default.count or 0)]
    return [t for t in better if code is None or t.code <= code]


def light_candidates(task: Task, log: TrialLog, worse: float) -> list[Config]:
    """Return candidates that no other beats in count and code, up to `worse` times the fewest."""
    counted = sorted((t.count, t.code, t.key[1], t) for t in log.of(task.name) if t.count)
    kept: list[Trial] = []
    for count, code, _, trial in counted:
        if count <= worse * counted[0][0] and (not kept or code < kept[-1].code):
            kept.append(trial)
    return [trial.config for trial in kept]
