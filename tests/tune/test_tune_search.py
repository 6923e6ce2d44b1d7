"""The search: what it finds, that it repeats, and that an interruption loses nothing."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from made_up import FormulaMeter, cost

from tvm_embbert.tune.front import front, record_of
from tvm_embbert.tune.meta.search import SearchOptions
from tvm_embbert.tune.session import CLOSE, Recorder, all_configs, best_of, default_config, tune
from tvm_embbert.tune.slim import light_candidates, smaller_codes
from tvm_embbert.tune.task import Task
from tvm_embbert.tune.trial_log import Trial, TrialLog

TRIALS = 96


def searched(
    tasks: list[Task], folder: Path, meter: FormulaMeter, resume: bool = False, **options: object
) -> TrialLog:
    log = TrialLog.open(folder / "trials.jsonl", {"of": "a test"}, resume)
    tune(tasks, Recorder(tasks, meter, log), SearchOptions(TRIALS, **options))  # type: ignore[arg-type]
    return log


def right(task: Task) -> list[int]:
    """Return the counts of all candidates that are right."""
    configs = all_configs(task)
    return sorted(cost(c) for c in configs if c["rows"] != 5 and c["columns"] != 6)


def test_finds_nearly_the_best(made_up: list[Task], tmp_path: Path) -> None:
    log = searched(made_up, tmp_path, FormulaMeter())
    for task in made_up:
        best = best_of(task, log).best
        assert best.count is not None
        assert best.count <= right(task)[2]


def test_measures_what_it_was_asked_for_once_each(made_up: list[Task], tmp_path: Path) -> None:
    meter = FormulaMeter()
    log = searched(made_up, tmp_path, meter)
    assert len(log.trials) == len(meter.measured)
    # Of the quarter for neighbours of the best, some is left where these have none left.
    assert 3 * TRIALS // 4 <= len(log.trials) <= TRIALS + len(made_up)


def test_wrong_and_crashing_candidates_are_never_best(made_up: list[Task], tmp_path: Path) -> None:
    log = searched(made_up, tmp_path, FormulaMeter())
    errors = {t.error for t in log.trials.values()}
    assert {"differs", "the device stopped"} <= errors
    for task in made_up:
        best = best_of(task, log).best.config
        assert (best["rows"], best["columns"]) != (5, 6)
        assert best["rows"] != 5
        assert best["columns"] != 6


@pytest.mark.parametrize("search", ["xgb", "random"])
def test_repeats_with_the_same_seed(made_up: list[Task], tmp_path: Path, search: str) -> None:
    logs = [
        searched(made_up, tmp_path / name, FormulaMeter(), model=search, seed=3)
        for name in ("first", "second")
    ]
    assert list(logs[0].trials) == list(logs[1].trials)


def test_resumed_ends_like_uninterrupted(made_up: list[Task], tmp_path: Path) -> None:
    whole = searched(made_up, tmp_path / "whole", FormulaMeter())
    with pytest.raises(KeyboardInterrupt):
        searched(made_up, tmp_path / "cut", FormulaMeter(dies_after=40))
    kept = len((tmp_path / "cut" / "trials.jsonl").read_text().splitlines()) - 1
    meter = FormulaMeter()
    resumed = searched(made_up, tmp_path / "cut", meter, resume=True)
    assert kept >= 40
    assert len(meter.measured) == len(whole.trials) - kept
    assert list(resumed.trials.values()) == list(whole.trials.values())
    for task in made_up:
        assert record_of(task, resumed) == record_of(task, whole)


def test_no_neighbour_of_the_best_is_better(made_up: list[Task], tmp_path: Path) -> None:
    log = TrialLog.open(tmp_path / "log", {}, False)
    tune(made_up, Recorder(made_up, FormulaMeter(), log), SearchOptions(240))
    for task in made_up:
        best = best_of(task, log).best
        for knob in task.knobs:
            for value in knob.values:
                tried = Trial(task.name, {**best.config, knob.name: value}, None)
                assert tried.key in log.trials


def test_of_counts_that_are_close_the_least_code_is_taken(
    made_up: list[Task], tmp_path: Path
) -> None:
    log = searched(made_up, tmp_path, FormulaMeter())
    for task in made_up:
        counted = [t for t in log.of(task.name) if t.count is not None]
        fewest = min(counted, key=lambda t: (t.count, t.scratch))
        best = best_of(task, log).best
        assert best.count <= fewest.count * (1 + 1 / CLOSE)
        close = [t for t in counted if t.count <= fewest.count * (1 + 1 / CLOSE)]
        assert best.code == min(t.code for t in close if t.scratch <= fewest.scratch)


def test_code_shrinks_where_that_costs_least(made_up: list[Task], tmp_path: Path) -> None:
    log = searched(made_up, tmp_path, FormulaMeter())
    best = {task.name: best_of(task, log).best for task in made_up}
    codes = smaller_codes(made_up, log, {}, 50)
    assert codes is not None
    smaller = {t.name: record_of(t, log, codes.get(t.name)) for t in made_up}
    saved = 0
    for task in made_up:
        record = smaller[task.name]
        assert record is not None
        assert record.points[0].code <= codes.get(task.name, best[task.name].code)
        assert record.points[0].count >= (best[task.name].count or 0) * (1 - 1 / CLOSE)
        saved += best[task.name].code - record.points[0].code
    assert saved >= 50
    assert smaller_codes(made_up, log, {}, 10**6) is None


def test_light_candidates_trade_count_for_code(made_up: list[Task], tmp_path: Path) -> None:
    log = searched(made_up, tmp_path, FormulaMeter())
    task = made_up[0]
    light = light_candidates(task, log, worse=1.5)
    trials = [log.trials[Trial(task.name, dict(c), None).key] for c in light]
    assert len(trials) > 1
    for one, other in pairwise(trials):
        assert (one.count or 0) <= (other.count or 0)
        assert one.code > other.code


def test_learns_from_elsewhere(made_up: list[Task], tmp_path: Path) -> None:
    """With another core's counts the first batch is no longer drawn by chance."""
    task = made_up[0]
    known = [(task.name, c, cost(c)) for c in list(all_configs(task))[::7] if c["rows"] != 5]
    meters = FormulaMeter(), FormulaMeter()
    for meter, taught in zip(meters, ([], known), strict=True):
        log = TrialLog.open(tmp_path / f"{len(taught)}.jsonl", {}, False)
        options = SearchOptions(17, batch=16)
        tune([task], Recorder([task], meter, log), options, taught)
    drawn, guided = (sorted(cost(c) for c in m.measured[1:17]) for m in meters)
    assert sum(guided) < sum(drawn)


def test_front_trades_speed_for_scratch(made_up: list[Task], tmp_path: Path) -> None:
    log = searched(made_up, tmp_path, FormulaMeter())
    kept = front(log.of(made_up[0].name))
    assert kept[0].count == best_of(made_up[0], log).best.count
    for faster, smaller in pairwise(kept):
        assert faster.scratch > smaller.scratch
        assert (faster.count or 0) <= (smaller.count or 0)


def test_default_stays_where_nothing_is_better(made_up: list[Task], tmp_path: Path) -> None:
    task = made_up[0]
    log = TrialLog.open(tmp_path / "log", {}, False)
    Recorder([task], FormulaMeter(), log).measure([(task.name, default_config(task))])
    assert not best_of(task, log).improved
    assert record_of(task, log) is None
