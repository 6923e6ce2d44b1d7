"""Liveness, and the plans of the arena."""

from __future__ import annotations

import numpy as np
import pytest
from random_programs import LENGTH, program, random_program

from tvm_embbert.memory.liveness import Block, in_use, live_blocks, lower_bound, owner, place_of
from tvm_embbert.memory.plan import ALIGNMENT, plan_memory
from tvm_embbert.memory.planners.registry import planner
from tvm_embbert.memory.problem import problem_of
from tvm_embbert.program.in_place import widens
from tvm_embbert.strategy.operator import Tensor

CHAIN = [("a", ["ids"], []), ("b", ["a"], ["s"]), ("c", ["a", "b"], []), ("logits", ["c"], [])]


def test_buffers_live_from_their_writer_to_their_last_reader():
    blocks = live_blocks(program(CHAIN, {"a": 2, "b": 3, "s": 5}), LENGTH)
    assert sorted(blocks, key=lambda b: b.name) == [
        Block("a", 20, 0, 2),
        Block("b", 30, 1, 2),
        Block("c", 10, 2, 3),
        Block("s", 50, 1, 1),
    ]


def test_callers_memory_is_no_block():
    names = {b.name for b in live_blocks(program(CHAIN, {}), LENGTH)}
    assert not {"ids", "logits"} & names


def test_result_that_nobody_reads_lives_where_it_is_written():
    lines = [("dead", ["ids"], []), ("a", ["ids"], []), ("logits", ["a"], [])]
    blocks = {b.name: b for b in live_blocks(program(lines, {}), LENGTH)}
    assert (blocks["dead"].first, blocks["dead"].last) == (0, 0)


def test_results_in_place_share_one_block():
    made = program(CHAIN[:2] + [("c", ["b"], []), ("logits", ["c"], [])], {}, {"b": "a", "c": "b"})
    assert [owner(made, n) for n in "abc"] == ["a", "a", "a"]
    blocks = {b.name: b for b in live_blocks(made, LENGTH)}
    assert set(blocks) == {"a", "s"}
    assert (blocks["a"].first, blocks["a"].last) == (0, 3)


def test_a_longer_result_in_place_ends_where_its_input_ends():
    lines = [("a", ["ids"], []), ("b", ["a"], []), ("c", ["b"], []), ("logits", ["c"], [])]
    made = program(lines, {"a": 16, "b": 16, "c": 48}, {"b": "a", "c": "b"})
    (block,) = live_blocks(made, LENGTH)
    assert block == Block("a", 48 * LENGTH, 0, 3)
    assert [place_of(made, n, LENGTH) for n in "abc"] == [
        ("a", 32 * LENGTH),
        ("a", 32 * LENGTH),
        ("a", 0),
    ]
    plan_memory(made, LENGTH)


@pytest.mark.parametrize(
    ("source", "result", "expected"),
    [
        (("n", 32, "int8"), ("n", 32, "int8"), True),
        (("n", 32, "int8"), ("n", 32, "int16"), True),
        (("n", 32, "int8"), ("n", 40, "int8"), False),
        (("n", 32, "int16"), ("n", 32, "int8"), False),
        (("n", 32, "int8"), (12, 32, "int8"), False),
    ],
)
def test_longer_rows_are_aligned(source, result, expected):
    tensors = [Tensor("x", tuple(shape), dtype) for *shape, dtype in (source, result)]
    assert widens(*tensors) is expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((0, 1), (2, 3), False),
        ((0, 2), (2, 3), True),
        ((0, 9), (4, 5), True),
        ((3, 3), (3, 3), True),
    ],
)
def test_blocks_conflict_in_a_common_step(first, second, expected):
    a, b = Block("a", 1, *first), Block("b", 1, *second)
    assert a.conflicts(b) is b.conflicts(a) is expected


def test_lower_bound_is_the_worst_step_aligned():
    blocks = [Block("a", 17, 0, 1), Block("b", 16, 1, 2), Block("c", 40, 2, 2)]
    assert lower_bound(blocks, 16) == 16 + 48
    assert lower_bound([], 16) == 0


def random_blocks(rng):
    count = int(rng.integers(0, 16))
    steps = int(rng.integers(1, 12))
    first = rng.integers(0, steps, count)
    last = np.minimum(first + rng.integers(0, 6, count), steps - 1)
    sizes = rng.choice([1, 3, 16, 17, 48, 100, 128], count)
    return [
        Block(f"b{i}", int(s), int(f), int(e))
        for i, (s, f, e) in enumerate(zip(sizes, first, last, strict=True))
    ]


@pytest.mark.parametrize("name", ["greedy_by_conflicts", "greedy_by_size", "hill_climb"])
@pytest.mark.parametrize("alignment", [1, 4, 16])
def test_plans_of_blocks_are_right(alignment, name):
    for seed in range(400):
        blocks = random_blocks(np.random.default_rng(seed))
        problem = problem_of(blocks, alignment)
        placement = planner(name)(problem)
        offsets = placement.offsets
        assert set(offsets) == {b.name for b in blocks}, seed
        assert all(o >= 0 and o % alignment == 0 for o in offsets.values()), seed
        for i, a in enumerate(blocks):
            for b in blocks[:i]:
                apart = (
                    offsets[a.name] + a.size <= offsets[b.name]
                    or offsets[b.name] + b.size <= offsets[a.name]
                )
                assert apart or not a.conflicts(b), (seed, a, b)
        assert placement.end(problem) >= lower_bound(blocks, alignment), seed


def test_chain_of_layers_is_packed_to_the_lower_bound():
    """Wide and narrow tensors in turn, two branches a layer: largest first leaves a gap."""
    blocks = [Block("x0", 64, 0, 1)]
    for layer in range(3):
        t = 5 * layer + 1
        blocks += [Block(f"h{layer}", 32, t, t + 2), Block(f"q{layer}", 32, t + 1, t + 2)]
        blocks += [Block(f"a{layer}", 32, t + 2, t + 4), Block(f"c{layer}", 32, t + 3, t + 4)]
        blocks += [Block(f"x{layer + 1}", 64, t + 4, t + 5)]
    plan = planner("hill_climb")(problem_of(blocks, 16)).offsets
    assert max(plan[b.name] + b.size for b in blocks) == lower_bound(blocks, 16) == 128


def test_plans_are_within_their_bounds():
    for seed in range(300):
        plan = plan_memory(random_program(np.random.default_rng(seed)), LENGTH)
        every = sum(-(-b.size // ALIGNMENT) * ALIGNMENT for b in plan.blocks)
        assert plan.arena % ALIGNMENT == 0, seed
        assert plan.lower_bound <= plan.arena <= max(every, ALIGNMENT), seed


def test_peak_is_the_fullest_step():
    plan = plan_memory(program(CHAIN, {"a": 2, "b": 3, "s": 5}), LENGTH)
    assert [b.name for b in plan.at_peak()] == ["s", "b", "a"]
    assert plan.at_peak() == sorted(in_use(plan.blocks, 1), key=lambda b: -b.size)


def test_memory_grows_with_the_length():
    made = program(CHAIN, {"a": 7, "b": 3})
    arenas = [plan_memory(made, length).arena for length in range(1, 40)]
    assert arenas == sorted(arenas)
