"""Orders and divisions: what is estimated of a division is what the tiled program takes."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from fusion_models import BLOCKS, MAX_LENGTH

from tvm_embbert.errors import UsageError
from tvm_embbert.fusion.fuse import fuse
from tvm_embbert.fusion.order import by_branches, by_stages, candidate_orders
from tvm_embbert.fusion.segments import Divider, Segment
from tvm_embbert.fusion.tile import tile
from tvm_embbert.fusion.uses import Uses
from tvm_embbert.memory.liveness import live_blocks, lower_bound
from tvm_embbert.memory.plan import ALIGNMENT, plan_memory
from tvm_embbert.memory.space import ONE_SPACE, Space
from tvm_embbert.program.build import build_program

ALL_BLOCKS = pytest.mark.parametrize("block", BLOCKS)


@pytest.fixture(scope="module")
def programs(integer_models):
    return {name: build_program(m, ["portable"]) for name, m in integer_models.items()}


def divider_of(program, order, heights=(1, 2, 3, 7, 16)):
    return Divider(Uses(program, order, MAX_LENGTH), MAX_LENGTH, ALIGNMENT, heights)


@ALL_BLOCKS
def test_peak_of_a_division_is_what_the_tiled_program_takes(programs, block):
    program, seen = programs[block], set()
    for order in candidate_orders(program.steps):
        divider = divider_of(program, order)
        for limit in range(divider.least_peak(), 6000, 48):
            division = divider.within(limit)
            if division in seen:
                continue
            seen.add(division)
            tiled = tile(program, order, division)
            bound = lower_bound(live_blocks(tiled, MAX_LENGTH), ALIGNMENT)
            assert max(s.peak for s in division) == bound <= limit
    assert len(seen) > 3


@ALL_BLOCKS
def test_least_peak_is_the_least(programs, block):
    for order in candidate_orders(programs[block].steps):
        divider = divider_of(programs[block], order)
        assert divider.within(divider.least_peak()) is not None
        assert divider.within(divider.least_peak() - 1) is None


@ALL_BLOCKS
def test_cost_falls_as_the_limit_rises(programs, block):
    order = by_stages(programs[block].steps)
    divider = divider_of(programs[block], order)
    limits = range(divider.least_peak(), 6000, 64)
    costs = [sum(s.cost for s in divider.within(limit)) for limit in limits]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > costs[-1]


def exhaustive_least(divider: Divider, count: int) -> int:
    """Try every way to cut the order."""
    best = 2**62
    segments: dict[tuple[int, int], list[Segment]] = {}
    for found in divider._segments:
        for segment in found:
            segments.setdefault((segment.first, segment.last), []).append(segment)
    for number in range(count):
        for cuts in combinations(range(1, count), number):
            parts = list(zip((0, *cuts), (*cuts, count), strict=True))
            peaks = [
                min((s.peak for s in segments.get((a, b - 1), [])), default=2**62) for a, b in parts
            ]
            best = min(best, max(peaks))
    return best


def test_shortest_path_is_the_best_of_all_cuts(programs):
    program = programs["feed forward"]
    order = tuple(range(len(program.steps)))
    divider = divider_of(program, order)
    assert divider.least_peak() == exhaustive_least(divider, len(order))


@ALL_BLOCKS
def test_orders_keep_dependences(programs, block):
    steps = programs[block].steps
    for order in candidate_orders(steps):
        assert sorted(order) == list(range(len(steps)))
        made = {programs[block].input}
        for index in order:
            assert set(steps[index].reads) <= made
            made.add(steps[index].writes)


def test_branches_come_one_after_the_other_and_stages_together(programs):
    steps = programs["two heads"].steps

    def attentions(order):
        return [p for p, i in enumerate(order) if steps[i].operator == "attention"][:2]

    one_by_one, together = attentions(by_branches(steps)), attentions(by_stages(steps))
    # Keys and values of both heads come before either attention, or only those of its own.
    assert together[1] - together[0] < one_by_one[1] - one_by_one[0]


@ALL_BLOCKS
def test_limits_are_kept_down_to_the_least(integer_models, programs, block):
    def planner(candidate, spaces):
        return plan_memory(candidate, MAX_LENGTH, spaces=spaces)

    program = programs[block]
    least = fuse(program, MAX_LENGTH, planner, ONE_SPACE, 1).plan.arena
    for limit in range(least, 2 * least, 160):
        fused = fuse(program, MAX_LENGTH, planner, (Space("sram", limit),))
        assert fused.plan.arena <= limit
        assert fused.plan.excess == 0
    small = fuse(program, MAX_LENGTH, planner, (Space("sram", 100),))
    assert small.plan.excess == small.plan.arena - 100


@ALL_BLOCKS
def test_two_memories_hold_what_neither_holds_alone(programs, block):
    def planner(candidate, spaces):
        return plan_memory(candidate, MAX_LENGTH, spaces=spaces)

    whole = fuse(programs[block], MAX_LENGTH, planner, ONE_SPACE).plan.arena
    half = -(-whole * 5 // 8 // 16) * 16
    spaces = (Space("fast", half), Space("slow", half, latency=3))
    plan = fuse(programs[block], MAX_LENGTH, planner, spaces).plan
    assert plan.excess == 0
    assert [p.name for p in plan.pools] == ["fast", "slow"]
    assert all(p.size <= half for p in plan.pools)


@pytest.mark.parametrize("rows", [-1, -8])
def test_negative_tiles_are_refused(programs, rows):
    program = programs["feed forward"]
    with pytest.raises(UsageError, match=f"{rows} rows"):
        fuse(program, MAX_LENGTH, lambda p, s: plan_memory(p, MAX_LENGTH), ONE_SPACE, rows)


def test_no_loops_when_they_save_nothing(programs):
    rng = np.random.default_rng(0)
    for program in programs.values():
        length = int(rng.integers(4, 6))

        def planner(candidate, spaces, length=length):
            return plan_memory(candidate, length, spaces=spaces)

        assert fuse(program, length, planner, ONE_SPACE).program.loops == ()
