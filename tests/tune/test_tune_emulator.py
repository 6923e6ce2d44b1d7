"""Candidates in the emulator: right ones counted alike each time, wrong ones found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_up import Uncompilable

from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.target_file import load_target
from tvm_embbert.tune.candidate import Candidate
from tvm_embbert.tune.meter import EmulatorMeter
from tvm_embbert.tune.session import default_config
from tvm_embbert.tune.task import Task, extract_tasks

pytestmark = pytest.mark.emulator


def candidates(tasks: list[Task]) -> list[Candidate]:
    return [Candidate(task, default_config(task)) for task in tasks]


@pytest.mark.parametrize("name", ["mps2-an385", "mps3-an547", "virt-rv32", "virt-rv32v"])
def test_defaults_equal_the_reference(module: IntegerModule, name: str) -> None:
    target = load_target(name)
    tasks = extract_tasks(module, target.core.isa, 30, rows=8)
    trials = EmulatorMeter(target, 2).measure(candidates(tasks))
    assert [t.error for t in trials] == [""] * len(tasks)
    assert all(t.count and t.code for t in trials)


def test_counts_do_not_depend_on_company(tasks: list[Task]) -> None:
    target = load_target("mps2-an386")
    together = EmulatorMeter(target, 1).measure(candidates(tasks))
    shared = EmulatorMeter(target, 3).measure(candidates(tasks)[::-1])
    # The call itself is a few instructions more or less, by where the code lies.
    for one, other in zip(together, shared[::-1], strict=True):
        assert (one.scratch, one.code, one.error) == (other.scratch, other.code, other.error)
        assert abs((one.count or 0) - (other.count or 0)) <= 4


def test_one_wrong_byte_is_found(tasks: list[Task]) -> None:
    made = []
    for task in tasks:
        wrong = np.array(task.expected)
        flat = wrong.reshape(-1, wrong.shape[-1]) if wrong.ndim > 1 else wrong.reshape(-1, 1)
        flat[task.first + task.rows - 1, -1] ^= 1
        made.append(replace(task, expected=wrong))
    trials = EmulatorMeter(load_target("mps2-an386"), 1).measure(candidates(made))
    assert [t.error for t in trials] == ["differs"] * len(tasks)
    assert all(t.count is None for t in trials)


def test_a_candidate_that_does_not_compile_fails_alone(tasks: list[Task]) -> None:
    good = candidates(tasks)
    bad = Uncompilable(tasks[0], default_config(tasks[0]))
    trials = EmulatorMeter(load_target("mps2-an386"), 2).measure([*good[:3], bad, *good[3:]])
    errors = [bool(t.error) for t in trials]
    assert errors == [False] * 3 + [True] + [False] * (len(good) - 3)
