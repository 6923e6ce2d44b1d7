"""The verifier takes good plans and finds every fault that is put into them."""

from __future__ import annotations

import numpy as np
import pytest
from random_programs import LENGTH, offsets_of, program, random_program

from tvm_embbert.memory.liveness import live_blocks
from tvm_embbert.memory.plan import ALIGNMENT, plan_memory
from tvm_embbert.memory.planners.registry import planner
from tvm_embbert.memory.problem import Placement
from tvm_embbert.memory.verify import PlanError, verify

CHAIN = [("a", ["ids"], []), ("b", ["a"], ["s"]), ("c", ["a", "b"], []), ("logits", ["c"], [])]


def check(made, offsets, arena):
    """Verify a plan of one pool."""
    places = {name: ("sram", offset) for name, offset in offsets.items()}
    verify(made, places, LENGTH, {"sram": arena}, ALIGNMENT)


def accepts(made, offsets, arena):
    try:
        check(made, offsets, arena)
    except PlanError:
        return False
    return True


def is_right(made, offsets, arena):
    """Return whether a plan is right, pair by pair."""
    blocks = live_blocks(made, LENGTH)
    spans = {b.name: (offsets[b.name], offsets[b.name] + b.size) for b in blocks}
    inside = all(a >= 0 and e <= arena and a % ALIGNMENT == 0 for a, e in spans.values())
    return inside and not any(
        a.conflicts(b)
        and max(spans[a.name][0], spans[b.name][0]) < min(spans[a.name][1], spans[b.name][1])
        for i, a in enumerate(blocks)
        for b in blocks[:i]
    )


def test_faults_are_found_and_good_plans_taken():
    verdicts = []
    for seed in range(1500):
        rng = np.random.default_rng(seed)
        made = random_program(rng)
        plan = plan_memory(made, LENGTH)
        assert accepts(made, offsets_of(plan), plan.arena), seed
        offsets = offsets_of(plan)
        for name in rng.choice(sorted(offsets), rng.integers(1, 3)):
            step = ALIGNMENT if rng.random() < 0.9 else 1
            offsets[str(name)] = int(rng.integers(-1, plan.arena // step + 2)) * step
        expected = is_right(made, offsets, plan.arena)
        assert accepts(made, offsets, plan.arena) is expected, (seed, offsets)
        verdicts.append(expected)
    assert 0.02 < np.mean(verdicts) < 0.6  # both kinds, else the test says nothing


def test_any_layout_without_overlap_is_taken():
    for seed in range(200):
        rng = np.random.default_rng(seed)
        made = random_program(rng)
        offsets, end = {}, 0
        for block in rng.permutation(np.array(live_blocks(made, LENGTH), object)):
            offsets[block.name] = end
            end += -(-block.size // ALIGNMENT) * ALIGNMENT
        assert accepts(made, offsets, end), seed


def test_arena_that_is_a_byte_short():
    made = program(CHAIN, {"a": 2, "b": 3, "s": 5})
    plan = plan_memory(made, LENGTH)
    offsets = offsets_of(plan)
    end = max(offsets[b.name] + b.size for b in plan.blocks)
    check(made, offsets, end)
    with pytest.raises(PlanError, match="outside the arena"):
        check(made, offsets, end - 1)


def test_plan_without_a_buffer():
    made = program(CHAIN, {})
    offsets = offsets_of(plan_memory(made, LENGTH))
    del offsets["s"]
    with pytest.raises(PlanError, match="no place for s"):
        check(made, offsets, 10_000)


@pytest.mark.parametrize(
    ("moved", "onto", "message"),
    [
        ("b", "a", "overlaps what the step reads or writes"),  # result on an input
        ("s", "a", "overlaps what the step reads or writes"),  # scratch on an input
        ("s", "b", "overlaps what the step reads or writes"),  # scratch on the result
        ("d", "b", "overwritten before it is read"),  # a later result on what is still read
    ],
)
def test_error_says_what_is_wrong(moved, onto, message):
    lines = [
        ("a", ["ids"], []),
        ("b", ["a"], ["s"]),
        ("d", ["a"], []),
        ("e", ["b", "d"], []),
        ("logits", ["e"], []),
    ]
    made = program(lines, {})
    offsets = {name: 64 * i for i, name in enumerate(["a", "b", "s", "d", "e"])}
    check(made, offsets, 1000)
    offsets[moved] = offsets[onto]
    with pytest.raises(PlanError, match=message) as caught:
        check(made, offsets, 1000)
    assert caught.value.where


def test_bad_algorithm_does_not_get_past_planning():
    made = program(CHAIN, {})
    with pytest.raises(PlanError, match="overlaps"):
        plan_memory(made, LENGTH, lambda problem: Placement(dict.fromkeys(problem.sizes, 0), 0))


def test_bound_that_the_plan_itself_refutes():
    made = program(CHAIN, {})

    def boasting(problem):
        return Placement(planner("greedy_by_size")(problem).offsets, 10_000)

    with pytest.raises(PlanError, match="bound of 10000 bytes is above") as caught:
        plan_memory(made, LENGTH, boasting)
    assert caught.value.where == "boasting"


def test_result_in_place_may_take_its_input_alone():
    made = program(CHAIN, {}, {"b": "a"})
    offsets = {"a": 0, "s": 16, "c": 32}
    with pytest.raises(PlanError, match="overwritten"):  # c still reads a
        check(made, offsets, 64)
    made = program(CHAIN[:2] + [("c", ["b"], []), ("logits", ["c"], [])], {}, {"b": "a"})
    check(made, offsets, 64)
    with pytest.raises(PlanError, match="overlaps"):
        check(made, {**offsets, "s": 0}, 64)
