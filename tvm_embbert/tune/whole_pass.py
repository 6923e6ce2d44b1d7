"""After the weighing: the search among whole models, from the best that was weighed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tvm_embbert.strategy.knobs import Config, complete
from tvm_embbert.tune.forecast import Choice, Made
from tvm_embbert.tune.pool import pool
from tvm_embbert.tune.session import default_config
from tvm_embbert.tune.slower import ranked_against
from tvm_embbert.tune.task import Identity, Task
from tvm_embbert.tune.trial_log import Trial, TrialLog
from tvm_embbert.tune.weigh import Weighed, Weigher
from tvm_embbert.tune.whole import Limits
from tvm_embbert.tune.whole_search import WholeSearch


@dataclass(frozen=True, eq=False)
class WholePass:
    """Looks for a better whole model than the best that was weighed.

    Attributes
    ----------
    weigher : Weigher
        What weighed it: its log has the candidates.
    limits : Limits
        Bytes of arena and of code.
    models : int
        Models to count at most.
    told : callable
        Is told how many were counted, and how many may be.
    """

    weigher: Weigher
    limits: Limits
    models: int
    told: Callable[[int, int], None]

    def improve(self, tasks: Sequence[Task], weighed: Weighed) -> Weighed:
        """Return a better model, or the one that was weighed where none is.

        Parameters
        ----------
        tasks : sequence of Task
            As they were tuned.
        weighed : Weighed
            The best so far.
        """
        if not weighed.rows or not self.models:
            return weighed
        known = {task.identity for task in tasks}
        at_height = [t for t in self.weigher.tasks_of(weighed.rows) if t.identity in known]
        start = Made(self._choice(at_height, weighed), weighed.after, _tile_rows(weighed))
        search = self._search(tasks, at_height, start, weighed)
        best = search.improve(start)
        if best is start:
            return weighed
        return replace(weighed, after=best.counted, records=search.records(best.choice))

    def _search(
        self, tasks: Sequence[Task], at_height: Sequence[Task], start: Made, weighed: Weighed
    ) -> WholeSearch:
        weigher, rank = self.weigher, ranked_against(weighed.before)
        pools = self._pools(tasks, at_height, start.choice)
        heights = weigher.whole.heights(self.limits.arena)
        at, counted = (weighed.rows, at_height, weigher.log, pools), (weigher.count, rank)
        return WholeSearch(
            weigher.whole, heights, *at, self.limits, *counted, self.models, self.told
        )

    def _pools(
        self, tasks: Sequence[Task], at_height: Sequence[Task], choice: Choice
    ) -> dict[Identity, list[Trial]]:
        """Measure the candidates of each task that are worth a try at the rows of the tiles."""
        log = self.weigher.log
        configs = {task.identity: pool(task, log, choice) for task in tasks}
        recorder = self.weigher.recorder_of(at_height)
        recorder.measure([(t.name, c) for t in at_height for c in configs[t.identity]])
        trials = {t.identity: [_trial(log, t, c) for c in configs[t.identity]] for t in at_height}
        return {i: [t for t in found if t.count is not None] for i, found in trials.items()}

    def _choice(self, at_height: Sequence[Task], weighed: Weighed) -> Choice:
        """Return the candidates that made the model that was weighed."""
        log = self.weigher.log
        return {t.identity: _trial(log, t, self._config(t, weighed)) for t in at_height}

    def _config(self, task: Task, weighed: Weighed) -> Config:
        used = weighed.after.lowered.schedules.used
        points = [used[step][1] for step in task.steps if step in used]
        if not points:
            return default_config(task)
        return complete(task.knobs, points[0].config, task.name)


def _trial(log: TrialLog, task: Task, config: Config) -> Trial:
    return log.trials[Trial(task.name, dict(config), None).key]


def _tile_rows(weighed: Weighed) -> int | None:
    return weighed.after.lowered.options.tile_rows
