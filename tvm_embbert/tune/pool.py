"""The candidates of each task that are worth a try in the whole model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tvm_embbert.strategy.knobs import Config
from tvm_embbert.tune.forecast import Choice, Part, parts_of
from tvm_embbert.tune.session import default_config, rank
from tvm_embbert.tune.slim import light_candidates
from tvm_embbert.tune.task import Task
from tvm_embbert.tune.trial_log import Trial, TrialLog

BEST = 8
"""Candidates of fewest instructions that are tried."""

WORSE = 1.5
"""Candidates that take so much more than the best are not tried."""


def pool(task: Task, log: TrialLog, choice: Choice) -> list[Config]:
    """Return the candidates of a task to try in the place of the one in a model.

    Parameters
    ----------
    task : Task
        As it was tuned.
    log : TrialLog
        Its trials.
    choice : mapping
        What makes the model's kernels.

    Returns
    -------
    Each once: the default, the best by count, those that none beats in count and code, and for each
    intrinsic of another task's kernel the best that shares it.
    """
    ranked = sorted((t for t in log.of(task.name) if t.count is not None), key=rank)
    near = [t for t in ranked if (t.count or 0) <= WORSE * (ranked[0].count or 0)]
    others = {part for i, t in choice.items() if i != task.identity for part in parts_of(t)}
    light = light_candidates(task, log, WORSE)
    found = [default_config(task), *(t.config for t in near[:BEST]), *light]
    return _distinct([*found, *(t.config for t in _sharing(near, others))])


def _sharing(ranked: Sequence[Trial], parts: set[Part]) -> Iterator[Trial]:
    """Yield for each part the best trial that has it."""
    for part in sorted(parts):
        yield from [t for t in ranked if part in parts_of(t)][:1]


def _distinct(configs: Sequence[Config]) -> list[Config]:
    return [config for i, config in enumerate(configs) if config not in configs[:i]]
