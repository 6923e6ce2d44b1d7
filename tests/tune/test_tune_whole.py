"""The search among whole models: what kernels share, what the model shows, what is remembered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tvm_embbert.lowering import Lowered
from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.strategy.knobs import Value
from tvm_embbert.target_file import load_target
from tvm_embbert.tune import scales
from tvm_embbert.tune.forecast import Choice, Forecast, Made, code_of
from tvm_embbert.tune.pool import pool
from tvm_embbert.tune.scales import Scales
from tvm_embbert.tune.schedules import no_schedules
from tvm_embbert.tune.session import default_config
from tvm_embbert.tune.slower import CALLS, KERNELS, TILES, ranked_against, slower
from tvm_embbert.tune.task import Identity, Task
from tvm_embbert.tune.trial_log import Trial, TrialLog
from tvm_embbert.tune.whole import Counted, Limits, Whole
from tvm_embbert.tune.whole_search import WholeSearch

ROWS, LENGTH = 8, 30
BLOCK = {"te_block": 600}
LARGE = 1 << 20
STEP, FAST, SLOW = 1000, 800, 700
"""Instructions of a kernel: the default's, with the shared block, with a part of its own."""


@pytest.fixture(scope="module")
def whole(module: IntegerModule) -> Whole:
    return Whole(module, load_target("mps2-an386"), LENGTH, {})


@pytest.fixture
def log(tmp_path: Path) -> TrialLog:
    return TrialLog.open(tmp_path / "log", {"core": "cortex-m4"}, False)


def leveled(task: Task, level: str) -> dict[str, Value]:
    return {**default_config(task), "optimize": level}


def trials_of(task: Task) -> list[Trial]:
    """Return the default, and of the linear kernels two that are faster and larger."""
    made = [Trial(task.name, default_config(task), STEP, 0, 200)]
    if task.operator == "linear":
        made.append(Trial(task.name, leveled(task, "O3"), FAST, 0, 700, parts=BLOCK))
        own = {f"te_{task.signature}": 900}
        made.append(Trial(task.name, leveled(task, "Os"), SLOW, 0, 1000, parts=own))
    return made


class Formula:
    """Counts whole models by what made their steps; some kernels cost more there than alone."""

    def __init__(self, tasks: list[Task], penalty: Mapping[str, int]) -> None:
        self.tasks, self.penalty = {s: t for t in tasks for s in t.steps}, penalty
        self.models: list[int] = []

    def __call__(self, lowered: Lowered) -> Counted:
        chosen: dict[Identity, Trial] = {}
        steps = {}
        for step in lowered.program.steps:
            task = self.tasks[step.name]
            used = lowered.schedules.used.get(step.name)
            config = {**default_config(task), **(used[1].config if used else {})}
            trial = next(t for t in trials_of(task) if t.config == config)
            chosen[task.identity] = trial
            level = str(config["optimize"])
            steps[step.name] = (trial.count or 0) + self.penalty.get(level, 0)
        total = sum(steps.values())
        self.models.append(total)
        return Counted(lowered, total, steps, code=code_of(chosen.values()))


Searched = Callable[..., tuple[Made, Made, Formula]]


@pytest.fixture
def search(whole: Whole, tasks: list[Task], log: TrialLog) -> Searched:
    """Return what searches from the untuned model, under some limit of code."""
    log.add([t for task in tasks for t in trials_of(task)])

    def run(
        code: int | None, penalty: Mapping[str, int] | None = None, models: int = 40
    ) -> tuple[Made, Made, Formula]:
        formula = Formula(tasks, penalty or {})
        before = formula(whole.lower(no_schedules(), ROWS))
        choice = {t.identity: trials_of(t)[0] for t in tasks}
        pools = {t.identity: trials_of(t) for t in tasks}
        limits = Limits(LARGE, None if code is None else before.code + code)
        start = Made(choice, before, ROWS)
        made = (whole, [ROWS], ROWS, tasks, log, pools, limits)
        searching = WholeSearch(*made, formula, ranked_against(before), models, _quiet)
        return start, searching.improve(start), formula

    return run


def _quiet(done: int, most: int) -> None:
    assert 1 <= done <= most


def levels(made: Made, tasks: list[Task]) -> set[str]:
    linear = [t for t in tasks if t.operator == "linear"]
    return {str(made.choice[t.identity].config["optimize"]) for t in linear}


def test_without_a_limit_takes_the_fastest(search: Searched, tasks: list[Task]) -> None:
    start, best, _ = search(None)
    runs = sum(len(t.steps) for t in tasks if t.operator == "linear")
    assert start.counted.total - best.counted.total == runs * (STEP - SLOW)
    assert levels(best, tasks) == {"Os"}


def test_kernels_share_an_intrinsic_within_the_limit(search: Searched, tasks: list[Task]) -> None:
    # One more block fits; each kernel with one of its own would be far too much.
    start, best, _ = search(500)
    runs = sum(len(t.steps) for t in tasks if t.operator == "linear")
    assert levels(best, tasks) == {"O3"}
    assert start.counted.total - best.counted.total == runs * (STEP - FAST)
    assert best.counted.code <= start.counted.code + 500


def test_what_the_model_shows_counts(search: Searched, tasks: list[Task]) -> None:
    # Alone the fastest, in the model it is not.
    _, best, _ = search(None, {"Os": 250})
    assert levels(best, tasks) == {"O3"}


def test_nothing_better_keeps_the_start(search: Searched) -> None:
    start, best, _ = search(None, {"Os": 500, "O3": 500})
    assert best is start


def test_counts_no_more_models_than_it_may(search: Searched) -> None:
    *_, formula = search(None, models=3)
    assert len(formula.models) == 1 + 3


def test_searches_the_same_each_time(search: Searched) -> None:
    first, second = search(700), search(700)
    assert first[2].models == second[2].models
    assert first[1].choice == second[1].choice


def test_what_is_shared_is_forecast_once(tasks: list[Task], whole: Whole) -> None:
    linear = [t for t in tasks if t.operator == "linear"]
    choice: Choice = {t.identity: trials_of(t)[0] for t in tasks}
    counted = Formula(tasks, {})(whole.lower(no_schedules(), ROWS))
    made, told = Made(choice, counted, ROWS), Forecast(tasks)
    told.learn(made)
    changed = {t.identity: trials_of(t)[1] for t in linear[:3]}
    assert told.code(made, changed) == counted.code + 600 + 3 * (100 - 200)
    assert told.count(made, changed) == counted.total - sum(
        len(t.steps) * (STEP - FAST) for t in linear[:3]
    )


def test_pool_has_what_shares_with_others(tasks: list[Task], log: TrialLog) -> None:
    one, other = [t for t in tasks if t.operator == "linear"][:2]
    knob = next(k for k in one.knobs if k.name != "optimize" and len(k.values) > 2)
    configs = [{**default_config(one), knob.name: v, "optimize": "O3"} for v in knob.values]
    # The one that shares is neither fast nor small.
    shared = Trial(one.name, configs.pop(), 140, 0, 900, parts=BLOCK)
    levels = [{**c, "optimize": level} for c in configs for level in ("Os", "O2", "O3")]
    fast = [Trial(one.name, c, 100 + i, 0, 800 - i) for i, c in enumerate(levels)]
    log.add([*fast, shared])
    apart = {other.identity: trials_of(other)[0]}
    sharing = {other.identity: trials_of(other)[1]}
    assert shared.config not in pool(one, log, apart)
    assert shared.config in pool(one, log, sharing)


def test_slower_operators_have_a_cause(whole: Whole, tasks: list[Task]) -> None:
    formula = Formula(tasks, {})
    before = formula(whole.lower(no_schedules(), 10))
    again = _more(before, "rms_norm", 1)
    assert [(s.operator, s.cause) for s in slower(before, again)] == [("rms_norm", CALLS)]
    lower = _more(formula(whole.lower(no_schedules(), ROWS)), "rms_norm", 1)
    assert [(s.operator, s.cause) for s in slower(before, lower)] == [("rms_norm", TILES)]


def test_slower_kernels_lose_to_untuned_ones(search: Searched, tasks: list[Task]) -> None:
    start, best, _ = search(None)
    rank = ranked_against(start.counted)
    worse = _more(best.counted, "linear", 2 * start.counted.total)
    fewer = replace(worse, total=start.counted.total - 500)
    assert [s.cause for s in slower(start.counted, fewer)] == [KERNELS]
    assert rank(best.counted) < rank(start.counted) < rank(fewer)


def _more(counted: Counted, operator: str, more: int) -> Counted:
    first = next(s.name for s in counted.lowered.program.steps if s.operator == operator)
    return replace(counted, steps={**counted.steps, first: counted.steps[first] + more})


def test_a_model_is_built_once_a_session(
    whole: Whole, tasks: list[Task], log: TrialLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    formula = Formula(tasks, {})
    monkeypatch.setattr(scales, "count", lambda lowered, _: formula(lowered))
    told: list[Counted] = []
    lowered = whole.lower(no_schedules(), ROWS)
    first = Scales(whole, log, told.append).count(lowered)
    resumed = TrialLog.open(log.path, {"core": "cortex-m4"}, True)
    same = Scales(whole, resumed, told.append).count(whole.lower(no_schedules(), ROWS))
    assert (same.total, same.steps, same.code) == (first.total, first.steps, first.code)
    assert len(formula.models) == 1
    assert len(told) == 2
    Scales(whole, resumed, told.append).count(whole.lower(no_schedules(), 4))
    assert len(formula.models) == 2
