"""Search among whole models: candidates of all kernels together, weighed by what the model takes.

A kernel by itself shows neither the code that it shares with others nor what it really costs in
the model. From the best model that was weighed, one candidate or two at once are changed for others
that were measured. What is forecast to gain is built, the most promising first, and the best is
kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from tvm_embbert.lowering import Lowered
from tvm_embbert.tune.forecast import Choice, Forecast, Made
from tvm_embbert.tune.front import record_by
from tvm_embbert.tune.records import Record
from tvm_embbert.tune.slower import Rank
from tvm_embbert.tune.task import Identity, Task
from tvm_embbert.tune.trial_log import Trial, TrialLog
from tvm_embbert.tune.whole import Counted, Limits, Whole, as_schedules

PATIENCE = 12
"""Models in a row that gain nothing, after which no more are built."""

PLANNED = 4
"""Models that are planned for each one that may be built: some have no room."""

DOUBT = 100
"""A model is built where its code is forecast to break the limit by no more than this share."""

Pools = Mapping[Identity, Sequence[Trial]]
"""The trials of each task that may take part, at the rows of the model's tiles."""

Change = tuple[int, Choice]
"""A forecast of instructions, and the candidates that take the place of others."""


@dataclass(eq=False)
class WholeSearch:
    """Searches from a model to better ones.

    Attributes
    ----------
    whole : Whole
        Makes whole models.
    heights : sequence of int
        Rows of tiles that there may be room for, in order.
    rows : int
        Of the model's tiles.
    tasks : sequence of Task
        At these rows.
    log : TrialLog
        Their trials.
    pools : mapping
        The trials that may take part.
    limits : Limits
        Bytes of arena and of code.
    count : callable
        Counts a model.
    rank : callable
        Orders models: the less the better.
    models : int
        Models to count at most.
    told : callable
        Is told how many were counted, and how many may be.
    """

    whole: Whole
    heights: Sequence[int]
    rows: int
    tasks: Sequence[Task]
    log: TrialLog
    pools: Pools
    limits: Limits
    count: Callable[[Lowered], Counted]
    rank: Callable[[Counted], Rank]
    models: int
    told: Callable[[int, int], None]
    _forecast: Forecast = field(init=False)
    _tried: set[tuple[int | None, str]] = field(default_factory=set)
    _counted: int = 0
    _planned: int = 0

    def __post_init__(self) -> None:
        self._forecast = Forecast(self.tasks)

    def improve(self, start: Made) -> Made:
        """Return the best model that is found; `start` where none is better."""
        self._forecast.learn(start)
        self._tried.add(_key(start.choice, start.tile_rows))
        best, before = start, None
        while best is not before:
            before = best
            best = self._other_loops(self._descend(best))
        return best

    def _descend(self, best: Made) -> Made:
        """Change candidates as long as that gains."""
        failed = 0
        while failed < PATIENCE and (made := self._next(best)) is not None:
            better = self._better(made, best)
            best, failed = (made, 0) if better else (best, failed + 1)
        return best

    def _next(self, best: Made) -> Made | None:
        """Count the most promising model that was not tried yet; None where there is none."""
        for _, changed in self._changes(best):
            made = self._make({**best.choice, **changed}, best.tile_rows)
            if made is not None:
                return made
            if self._spent:
                break
        return None

    def _changes(self, made: Made) -> Iterator[Change]:
        """Yield changes that are forecast to gain within the limit of code, the best first; then
        those that would be a little above it, as forecasts of code are estimates."""
        single = [self._change(made, {i: t}) for i, t in self._others(made)]
        gains = [c for c in self._pairs(made, single) if c[0] < made.counted.total]
        gains.sort(key=_order)
        if self.limits.code is None:
            yield from gains
            return
        codes = [self._forecast.code(made, changed) for _, changed in gains]
        limit, most = self.limits.code, self.limits.code + self.limits.code // DOUBT
        yield from (c for c, code in zip(gains, codes, strict=True) if code <= limit)
        yield from (c for c, code in zip(gains, codes, strict=True) if limit < code <= most)

    def _pairs(self, made: Made, single: Sequence[Change]) -> Iterator[Change]:
        """Yield single changes, and any two of them that go together."""
        yield from single
        total = made.counted.total
        for (one, first), (other, second) in combinations(single, 2):
            if first.keys() != second.keys():
                yield one + other - total, {**first, **second}

    def _change(self, made: Made, changed: Choice) -> Change:
        return self._forecast.count(made, changed), changed

    def _others(self, made: Made) -> Iterator[tuple[Identity, Trial]]:
        for identity, trials in self.pools.items():
            now = made.choice[identity]
            yield from ((identity, trial) for trial in trials if trial.key != now.key)

    def _make(self, choice: Choice, tile_rows: int | None) -> Made | None:
        """Count a model; None if it was tried, if there is no room for it, or nothing is left."""
        key = _key(choice, tile_rows)
        if key in self._tried or self._spent:
            return None
        self._tried.add(key)
        self._planned += 1
        lowered = self.whole.lower(as_schedules(self.records(choice)), tile_rows)
        if lowered.plan.arena > self.limits.arena:
            return None
        self._counted += 1
        self.told(self._counted, self.models)
        made = Made(choice, self.count(lowered), tile_rows)
        self._forecast.learn(made)
        return made

    @property
    def _spent(self) -> bool:
        return self._counted >= self.models or self._planned >= PLANNED * self.models

    def _better(self, made: Made, best: Made) -> bool:
        kept = self.limits.kept_by(made.counted)
        return kept and self.rank(made.counted) < self.rank(best.counted)

    def _other_loops(self, best: Made) -> Made:
        """Try the model with the loops that the compiler chooses, and with tiles next in height."""
        for rows in self._next_heights(best):
            made = self._make(best.choice, rows)
            if made is not None and self._better(made, best):
                best = made
        return best

    def _next_heights(self, made: Made) -> list[int | None]:
        """Return heights of tiles: the compiler's own, and those next to the model's in order."""
        rows = made.tile_rows or self.rows
        place = self.heights.index(rows) if rows in self.heights else 0
        return [None, *self.heights[max(0, place - 1) : place + 2]]

    def records(self, choice: Choice) -> dict[str, list[Record]]:
        """Return the records that make a model's kernels, by operator."""
        found: dict[str, list[Record]] = {task.operator: [] for task in self.tasks}
        for task in self.tasks:
            chosen = choice[task.identity]
            record = record_by(task, self.log, chosen, self.limits.code is not None)
            found[task.operator] += [] if record is None else [record]
        return found


def _order(change: Change) -> tuple[int, list[tuple[str, str]]]:
    return change[0], sorted(trial.key for trial in change[1].values())


def _key(choice: Choice, tile_rows: int | None) -> tuple[int | None, str]:
    return tile_rows, "\n".join(sorted("\t".join(trial.key) for trial in choice.values()))
