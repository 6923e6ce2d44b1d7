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
    made, saved = dict(codes), 0
    while saved < excess:
        steps = [step for task in tasks for step in _steps(task, log, made)]
        if not steps:
            return None
        enough = [step for step in steps if step[1] >= excess - saved]
        _, less, name, code = min(enough, key=_cost) if enough else min(steps)
        made[name], saved = code, saved + less
    return made


def _cost(step: tuple[float, int, str, int]) -> tuple[float, str, int]:
    each, less, name, code = step
    return each * less, name, code


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
