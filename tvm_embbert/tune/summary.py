"""The summary of a session: what was measured, and what it gained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tvm_embbert.target import Target
from tvm_embbert.tune.pareto import FrontPoint
from tvm_embbert.tune.session import Best
from tvm_embbert.tune.slower import slower
from tvm_embbert.tune.trial_log import TrialLog
from tvm_embbert.tune.weigh import Weighed
from tvm_embbert.tune.whole import Counted


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a session ends with.

    Attributes
    ----------
    log : TrialLog
        What was measured.
    best : sequence of Best
        What was found for each task.
    weighed : Weighed
        The whole model, untuned and tuned.
    points : sequence of FrontPoint
        The front, if it was measured.
    """

    log: TrialLog
    best: Sequence[Best]
    weighed: Weighed
    points: Sequence[FrontPoint]


def summary(target: Target, outcome: Outcome, files: Sequence[Path]) -> dict[str, Any]:
    """Return the summary as it is written, given the files of records."""
    log = outcome.log
    return {
        "target": target.name,
        "core": target.core.name,
        "unit": log.header["unit"],
        "trials": _trials(log),
        "tasks": [_task(b, log) for b in outcome.best],
        "model": _model(outcome.weighed, log.header["length"]),
        "front": [point.as_json() for point in outcome.points],
        "records": [str(path) for path in files],
    }


def _trials(log: TrialLog) -> dict[str, int]:
    trials = log.trials.values()
    return {
        "measured": len(trials),
        "failed": sum(t.count is None and t.error != "differs" for t in trials),
        "differing": sum(t.error == "differs" for t in trials),
        "models": len(log.models),
    }


def _model(weighed: Weighed, length: int) -> dict[str, Any]:
    before, after = weighed.before, weighed.after
    return {
        "length": length,
        "before": before.total,
        "after": after.total,
        "arena_before": before.arena,
        "arena_after": after.arena,
        "code_before": before.code,
        "code_after": after.code,
        "operators": _operators(before, after),
        "slower": [asdict(each) for each in slower(before, after)],
    }


def _task(best: Best, log: TrialLog) -> dict[str, Any]:
    return {
        "task": best.task.name,
        "steps": best.task.steps,
        "candidates": best.task.size,
        "trials": len(log.of(best.task.name)),
        "before": best.default.count,
        "after": best.best.count,
        "config": best.best.config,
    }


def _operators(before: Counted, after: Counted) -> dict[str, dict[str, int]]:
    tuned = after.by_operator()
    return {
        name: {"before": total, "after": tuned[name]}
        for name, total in sorted(before.by_operator().items())
    }
