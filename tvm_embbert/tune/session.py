"""A tuning session: measures what the search asks for, remembers it, and picks the best."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from tvm_embbert.errors import DeviceError
from tvm_embbert.strategy.knobs import Config, Value, complete
from tvm_embbert.tune.candidate import Candidate
from tvm_embbert.tune.meter import Meter, failed, invalid
from tvm_embbert.tune.task import Task
from tvm_embbert.tune.trial_log import Trial, TrialLog

SMALL = 8
"""Candidates of a task up to which all are measured: there is nothing to search."""

CLOSE = 1000
"""Counts that differ by a thousandth or less are as good: the candidate of less code is taken."""

Progress = Callable[[Trial], None]
"""Is told of each trial as it is made, or remembered."""


Refusal = Callable[[Candidate], str]
"""Returns why a candidate is not to be measured, or the empty string."""


@dataclass(frozen=True)
class Best:
    """What was found for a task.

    Attributes
    ----------
    task : Task
        The task.
    default, best : Trial
        What the kernel takes untuned, and with the best values.
    """

    task: Task
    default: Trial
    best: Trial

    @property
    def improved(self) -> bool:
        """Return whether there is anything to record."""
        return self.best.config != self.default.config


class Recorder:
    """Measures candidates that the log does not know yet."""

    def __init__(
        self,
        tasks: Sequence[Task],
        meter: Meter,
        log: TrialLog,
        progress: Progress | None = None,
        refusal: Refusal | None = None,
    ) -> None:
        self._tasks = {task.name: task for task in tasks}
        self._meter, self._log, self._progress = meter, log, progress
        self._refusal = refusal
        self.seen: dict[tuple[str, str], Trial] = {}
        """What was asked for, whether it was measured now or by a session that died."""

    def measure(self, wanted: Sequence[tuple[str, Config]], required: bool = False) -> list[Trial]:
        """Return trials for candidates, each a task's name and a value of each knob.

        Raises
        ------
        DeviceError
            They are `required`, and one of them failed; none is remembered then.
        """
        candidates = [Candidate(self._tasks[name], dict(config)) for name, config in wanted]
        keys = [failed(c, "").key for c in candidates]
        new = {k: c for k, c in zip(keys, candidates, strict=True) if k not in self._log.trials}
        if new:
            made = self._measured(list(new.values()))
            if required:
                _require_counts(made)
            self._log.add(made)
        trials = [self._log.trials[key] for key in keys]
        for key, trial in zip(keys, trials, strict=True):
            self.seen[key] = trial
            if self._progress:
                self._progress(trial)
        return trials

    def _measured(self, candidates: Sequence[Candidate]) -> list[Trial]:
        """Measure what may be measured; the others have failed."""
        refused = {id(c): why for c in candidates if (why := self._refused(c))}
        possible = [c for c in candidates if id(c) not in refused]
        measured = iter(self._meter.measure(possible)) if possible else iter(())
        return [
            failed(c, refused[id(c)]) if id(c) in refused else next(measured) for c in candidates
        ]

    def _refused(self, candidate: Candidate) -> str:
        why = invalid(candidate)
        return why or (self._refusal(candidate) if self._refusal else "")


def _require_counts(trials: Sequence[Trial]) -> None:
    lost = [t for t in trials if t.count is None]
    if lost:
        raise DeviceError(
            f"{len(lost)} of {len(trials)} kernels cannot be measured as they are: {lost[0].error}",
            where=lost[0].task,
            supported="kernels that run, and give the reference's bytes, untuned",
            hint="Compile and run the model first; if that works, report this as a bug.",
        )


def all_configs(task: Task) -> Iterator[dict[str, Value]]:
    """Yield every candidate of a task."""
    names = [knob.name for knob in task.knobs]
    for values in product(*(knob.values for knob in task.knobs)):
        yield dict(zip(names, values, strict=True))


def default_config(task: Task) -> dict[str, Value]:
    """Return the value that each knob has untuned."""
    return complete(task.knobs, {}, task.name)


def tune(
    tasks: Sequence[Task],
    recorder: Recorder,
    options: Any,
    known: Sequence[tuple[str, Mapping[str, Value], int]] = (),
    first: Sequence[tuple[str, Config]] = (),
) -> None:
    """Measure the defaults, all candidates of small spaces, search the others, refine what is best.

    The results are in the recorder's log.

    Parameters
    ----------
    tasks : sequence of Task
        What to tune.
    recorder : Recorder
        Measures and remembers.
    options : SearchOptions
        How far, from which seed.
    known : sequence
        Counts of candidates elsewhere: the cost model learns from them first.
    first : sequence
        Candidates to measure before the search, such as the best of another core.
    """
    from tvm_embbert.tune.meta.search import Measured, search
    from tvm_embbert.tune.refine import refine

    begun = recorder.measure([(t.name, default_config(t)) for t in tasks], required=True)
    begun += recorder.measure(first)
    small = [task for task in tasks if task.size <= SMALL]
    whole = [(task.name, config) for task in small for config in all_configs(task)]
    recorder.measure(whole)

    def measure(wanted: Sequence[tuple[str, dict[str, Value]]]) -> list[Measured]:
        return [Measured(t.count, t.error) for t in recorder.measure(wanted)]

    own = [(t.task, t.config, t.count) for t in begun if t.count is not None]
    large = [task for task in tasks if task.size > SMALL]
    if large and options.trials:
        kept = options.trials // options.refined if options.refined else 0
        searched = replace(options, trials=options.trials - kept)
        search(large, measure, searched, [*known, *own])
        refine(large, recorder, kept, options.batch)


def best_of(task: Task, log: TrialLog) -> Best:
    """Return the best of a task among all trials of a log; see :func:`best_among`."""
    return best_among(task, log.trials)


def best_among(task: Task, trials: Mapping[tuple[str, str], Trial]) -> Best:
    """Return the best of a task: the fewest counted, or less code where that is close.

    The default is the best unless another is better in what is counted.
    """
    default = trials[Trial(task.name, default_config(task), None).key]
    counted = [t for t in trials.values() if t.task == task.name and t.count is not None]
    best = lightest(min(counted, key=rank), counted) if counted else default
    if default.count is not None and best.count is not None and best.count >= default.count:
        best = default
    return Best(task, default, best)


def lightest(trial: Trial, trials: Iterable[Trial]) -> Trial:
    """Return the trial of least code among those that are as good as one, with no more scratch."""
    count = trial.count or 0
    good = (t for t in trials if t.count is not None and t.count <= count + count // CLOSE)
    return min((t for t in good if t.scratch <= trial.scratch), key=lambda t: (t.code, *rank(t)))


def rank(trial: Trial) -> tuple[int, int, int, str]:
    """Return what trials are ordered by: count, scratch, code."""
    return trial.count or 0, trial.scratch, trial.code, trial.key[1]
