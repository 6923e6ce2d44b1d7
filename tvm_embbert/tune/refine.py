"""After the search: step from the best candidates, one knob at a time, then two at once.

The search finds the right region by its model; what is left are knobs that hardly matter alone,
and pairs that matter together, such as a block and the words that it loads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product

from tvm_embbert.strategy.knobs import Config, Knob, Value
from tvm_embbert.tune.session import Recorder, best_among
from tvm_embbert.tune.task import Task
from tvm_embbert.tune.trial_log import Trial


def refine(tasks: Sequence[Task], recorder: Recorder, trials: int, batch: int) -> None:
    """Measure neighbours of the best candidates, those of the heaviest tasks first.

    Parameters
    ----------
    tasks : sequence of Task
        Whose defaults, at the least, were measured.
    recorder : Recorder
        What it has seen decides where to go on: the same after an interruption.
    trials : int
        Candidates to measure at most.
    batch : int
        Candidates that are measured at a time.
    """
    heavy = sorted(tasks, key=lambda t: -(_best(t, recorder).count or 0) * t.runs)
    for reach in (1, 2):
        for task in heavy:
            trials -= _climb(task, recorder, trials, (reach, batch))


def _climb(task: Task, recorder: Recorder, trials: int, steps: tuple[int, int]) -> int:
    """Go to better neighbours until there is none; returns how many were measured."""
    reach, batch = steps
    measured, best = 0, _best(task, recorder)
    while True:
        around = _neighbours(task, best.config, reach)
        new = [c for c in around if Trial(task.name, c, None).key not in recorder.seen]
        for first in range(0, min(len(new), trials - measured), batch):
            part = new[first : min(first + batch, trials - measured)]
            recorder.measure([(task.name, config) for config in part])
        measured += min(len(new), trials - measured)
        found = _best(task, recorder)
        if found.config == best.config:
            return measured
        best = found


def _best(task: Task, recorder: Recorder) -> Trial:
    return best_among(task, recorder.seen).best


def _neighbours(task: Task, config: Config, reach: int) -> Iterator[dict[str, Value]]:
    """Yield candidates with another value of one knob, or with the next values of two."""
    for knobs in combinations(task.knobs, reach):
        values = [_others(knob, config[knob.name], next_to=reach > 1) for knob in knobs]
        for chosen in product(*values):
            names = (knob.name for knob in knobs)
            yield {**config, **dict(zip(names, chosen, strict=True))}


def _others(knob: Knob, value: Value, next_to: bool) -> list[Value]:
    place = knob.values.index(value)
    near = range(max(0, place - 1), place + 2) if next_to else range(len(knob.values))
    return [v for i, v in enumerate(knob.values) if i in near and v != value]
