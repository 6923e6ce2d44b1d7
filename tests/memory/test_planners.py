"""What holds for every planning algorithm, and what each of them is there for."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from planning_problems import (
    graph,
    is_right,
    random_graph,
    shuffled,
    smallest_end,
    tight,
)

from tvm_embbert.errors import UsageError
from tvm_embbert.memory.indexed import end_of_spans, index
from tvm_embbert.memory.liveness import Block
from tvm_embbert.memory.packing import pack
from tvm_embbert.memory.planners import exact, hill_climb
from tvm_embbert.memory.planners.registry import planner
from tvm_embbert.memory.problem import Placement, Problem, problem_of

PLANNERS = ["exact", "greedy_by_conflicts", "greedy_by_size", "hill_climb"]
CIRCLE = graph(dict.fromkeys("abcde", 16), ["ab", "bc", "cd", "de", "ea"])
"""Five buffers in a ring, each in conflict with the next: two at once, yet three times the room."""


def hard(seed: int, count: int) -> Problem:
    lifetimes, sizes = tight(np.random.default_rng(seed), count)
    blocks = [
        Block(f"b{i}", s, *life) for i, (life, s) in enumerate(zip(lifetimes, sizes, strict=True))
    ]
    return problem_of(blocks, 16)


@pytest.mark.parametrize("name", PLANNERS)
@pytest.mark.parametrize("alignment", [1, 4, 16])
def test_plans_are_right(name, alignment):
    for seed in range(60):
        problem = random_graph(np.random.default_rng(seed), 12, alignment)
        assert is_right(problem, planner(name)(problem)), seed


@pytest.mark.parametrize("name", PLANNERS)
def test_plan_repeats_and_does_not_depend_on_the_order_of_names(name):
    for seed in range(40):
        rng = np.random.default_rng(seed)
        problem = random_graph(rng, 12)
        placement = planner(name)(problem)
        assert planner(name)(problem) == placement, seed
        assert planner(name)(shuffled(problem, rng)) == placement, seed


@pytest.mark.parametrize("name", PLANNERS)
def test_no_buffers(name):
    problem = graph({}, [])
    placement = planner(name)(problem)
    assert placement == Placement({}, 0)
    assert placement.end(problem) == 0
    assert placement.is_optimal(problem)


@pytest.mark.parametrize("name", PLANNERS)
def test_buffers_of_no_bytes_are_in_nobodys_way(name):
    problem = graph({"a": 0, "b": 17, "c": 0, "d": 5}, ["ab", "ac", "bc", "bd", "cd"])
    placement = planner(name)(problem)
    assert set(placement.offsets) == set("abcd")
    assert placement.end(problem) == 48


@pytest.mark.parametrize("name", PLANNERS)
def test_buffers_without_conflicts_share_one_place(name):
    placement = planner(name)(graph({"a": 3, "b": 50, "c": 16}, []))
    assert placement == Placement({"a": 0, "b": 0, "c": 0}, 64)


@pytest.mark.parametrize("name", PLANNERS)
def test_buffers_that_all_conflict_are_stacked(name):
    problem = graph({"a": 3, "b": 50, "c": 16}, ["ab", "bc", "ac"])
    placement = planner(name)(problem)
    assert placement.end(problem) == 16 + 64 + 16
    assert is_right(problem, placement)


def test_problem_of_blocks():
    blocks = [Block("a", 17, 0, 1), Block("b", 16, 1, 2), Block("c", 40, 2, 2)]
    problem = problem_of(blocks, 16)
    assert problem.sizes == {"a": 17, "b": 16, "c": 40}
    assert problem.conflicts == {"a": {"b"}, "b": {"a", "c"}, "c": {"b"}}
    assert (problem.alignment, problem.lower_bound, problem.limit) == (16, 64, None)


def test_greedy_by_size_reuses_what_is_free():
    problem = graph({"a": 64, "b": 32, "c": 32}, ["bc"])
    assert planner("greedy_by_size")(problem).offsets == {"a": 0, "b": 0, "c": 32}


def test_greedy_by_conflicts_begins_with_what_is_in_the_way_of_most():
    problem = graph({"a": 64, "b": 16, "c": 64}, ["ab", "bc"])
    assert planner("greedy_by_conflicts")(problem).offsets == {"a": 16, "b": 0, "c": 16}
    assert planner("greedy_by_size")(problem).offsets == {"a": 0, "b": 64, "c": 0}


@pytest.mark.parametrize("name", ["exact", "hill_climb"])
def test_ring_of_conflicts_takes_more_than_any_clique(name):
    placement = planner(name)(CIRCLE)
    assert placement.end(CIRCLE) == placement.lower_bound == 48
    assert placement.is_optimal(CIRCLE)


def test_exact_is_as_small_as_the_best_of_all_orders():
    gains = []
    for seed in range(150):
        problem = random_graph(np.random.default_rng(seed), 6)
        placement, smallest = planner("exact")(problem), smallest_end(problem)
        assert placement.end(problem) == placement.lower_bound == smallest, seed
        gains.append(planner("greedy_by_size")(problem).end(problem) - smallest)
    assert max(gains) > 0  # else the solver was never needed


def test_solver_alone_is_as_small_as_the_best_of_all_orders():
    for seed in range(150):
        problem = random_graph(np.random.default_rng(seed), 6)
        indexed = index(problem)
        stacked = np.cumsum([0, *indexed.sizes]).tolist()
        known = list(pairwise(stacked))
        spans, bound = exact.solve(indexed, known, indexed.lower_bound)
        placement = indexed.placement(spans, bound)
        assert is_right(problem, placement), seed
        assert placement.end(problem) == placement.lower_bound == smallest_end(problem), seed


def test_packing_finds_what_there_is_and_proves_what_there_is_not():
    for seed in range(150):
        problem = random_graph(np.random.default_rng(seed), 6)
        indexed, smallest = index(problem), smallest_end(problem)
        units = smallest // indexed.unit
        found = pack(indexed, units, 100_000)
        assert found.spans is not None, seed
        assert is_right(problem, indexed.placement(found.spans, indexed.lower_bound)), seed
        assert end_of_spans(found.spans) <= units, seed
        none = pack(indexed, units - 1, 100_000)
        assert none.spans is None, seed
        assert none.impossible, seed


def test_packing_says_when_it_gave_up():
    made = pack(index(CIRCLE), 2, 1)
    assert made.spans is None
    assert not made.impossible


def test_no_smallest_plan_ends_between_sums_of_sizes():
    for seed in range(150):
        problem = random_graph(np.random.default_rng(seed), 6)
        indexed = index(problem)
        units = smallest_end(problem) // indexed.unit
        assert all(indexed.next_end(low) <= units for low in range(units + 1)), seed
    assert index(graph({"a": 32, "b": 80}, ["ab"])).next_end(3) == 5


def test_sums_of_very_many_units_are_left_out():
    problem = index(graph({"a": 2**25, "b": 2**25 + 1}, ["ab"], 1))
    assert problem.next_end(2**24) == 2**24


def test_cliques_hold_each_conflict_and_nothing_else():
    for seed in range(60):
        problem = index(random_graph(np.random.default_rng(seed), 12))
        held = {(i, j) for c in problem.cliques for i in c for j in c if i != j}
        assert held == {(i, j) for i, c in enumerate(problem.conflicts) for j in c}, seed
        assert {i for c in problem.cliques for i in c} == set(range(len(problem.sizes))), seed


def test_hill_climb_is_never_larger_than_greedy_and_often_smaller():
    gains = []
    for seed in range(40):
        problem = hard(seed, 20)
        climbed = planner("hill_climb")(problem).end(problem)
        greedy = [planner(name)(problem).end(problem) for name in PLANNERS if "greedy" in name]
        gains.append(min(greedy) - climbed)
    assert min(gains) >= 0
    assert np.mean(np.array(gains) > 0) > 0.5


def test_moves_alone_improve_the_order(monkeypatch):
    monkeypatch.setattr(hill_climb, "NODES", 0)
    problems = [hard(seed, 20) for seed in range(20)]
    climbed = [planner("hill_climb")(p).end(p) for p in problems]
    monkeypatch.setattr(hill_climb, "MOVES", 0)
    started = [planner("hill_climb")(p).end(p) for p in problems]
    assert all(c <= s for c, s in zip(climbed, started, strict=True))
    assert sum(climbed) < sum(started)


@pytest.mark.parametrize("name", ["exact", "hill_climb"])
def test_enough_is_enough(name):
    """With a limit that the best greedy plan keeps, nothing is done beyond it."""
    larger = 0
    for seed in range(10):
        problem = hard(seed, 20)
        roomy = replace(problem, limit=10**6)
        placement = planner(name)(roomy)
        assert is_right(roomy, placement), seed
        larger += placement.end(roomy) - planner(name)(problem).end(problem)
        tight_limit = replace(problem, limit=problem.lower_bound)
        assert planner(name)(tight_limit) == planner(name)(problem), seed
    assert larger > 0


def test_exact_says_how_far_it_may_be_off_when_its_time_is_up(monkeypatch):
    monkeypatch.setattr(hill_climb, "NODES", 0)
    monkeypatch.setattr(hill_climb, "MOVES", 0)
    monkeypatch.setattr(exact, "DETERMINISTIC_LIMIT", 1e-9)
    problem = random_graph(np.random.default_rng(0), 26)
    placement = planner("exact")(problem)
    assert is_right(problem, placement)
    assert problem.lower_bound <= placement.lower_bound < placement.end(problem)
    assert not placement.is_optimal(problem)
    assert planner("exact")(problem) == placement


def test_exact_without_or_tools(monkeypatch):
    monkeypatch.setitem(sys.modules, "ortools.sat.python", None)
    monkeypatch.setattr(hill_climb, "NODES", 0)
    with pytest.raises(UsageError, match="OR-Tools") as caught:
        planner("exact")(CIRCLE)
    assert caught.value.hint == "pip install tvm-embbert[exact]"
    easy = graph({"a": 16, "b": 16}, ["ab"])
    assert planner("exact")(easy).is_optimal(easy)  # nothing is left for the solver
