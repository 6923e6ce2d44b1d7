"""The nightly run: what it plans and counts, what it finds, and the cases that it found."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import nightly
import nightly_machines
import numpy as np
import pytest
import test_kernels_mve
import test_kernels_rvv
import test_kernels_scalar
from dsp_cases import DSP_CASES
from kernel_bench import Case
from nightly_cases import (
    FAMILIES,
    FORMS,
    HOST,
    Batch,
    boards,
    case_at,
    emulated_cases,
    knobs_of,
    plan,
)
from nightly_machines import Outcome, run_batch
from random_cases import GENERATORS, drawn_from
from vector_cases import forms_of

from tvm_embbert.errors import UsageError
from tvm_embbert.strategy import registry
from tvm_embbert.strategy.operator import Operator
from tvm_embbert.target import INSTRUCTION_SETS
from tvm_embbert.target_file import load_target

AT_LEAST = 400
"""Random cases of each instruction set in each run of the tests."""


def all_right(batch: Batch) -> Outcome:
    """Pretend that a batch was run."""
    sets = {i.isa for i in registry.implementations(batch.operator)}
    isa = next(s for s in load_target(batch.board).core.isa if s in sets)
    return Outcome(Counter({(batch.board, isa, batch.operator): batch.size}))


def test_plan_has_as_many_cases_as_asked_and_no_batch_more():
    for cases in (1, 5000, 100_000):
        planned = plan(3, cases)
        assert emulated_cases(planned[:-1]) < cases <= emulated_cases(planned)
        assert len(set(planned)) == len(planned)


def test_plan_has_every_operator_on_every_instruction_set():
    planned = plan(3, 100_000)
    pairs = {(b.board, b.operator, b.turn % len(FAMILIES)) for b in planned}
    assert {o for _, o, _ in pairs} == set(GENERATORS)
    assert {b for b, _, _ in pairs} == set(boards())
    assert len(pairs) == len(boards()) * len(GENERATORS) * len(FAMILIES)
    assert {s for b in boards() for s in load_target(b).core.isa} == set(INSTRUCTION_SETS)


def test_batch_has_as_many_cases_as_it_says():
    for operator in FORMS:
        batch = Batch(5, HOST, operator, 1)
        labels = [case.label for form in batch.forms() for case in form]
        assert len(labels) == len(set(labels)) == batch.size


def test_an_address_is_one_case_whatever_was_drawn_before():
    batch = Batch(7, "mps3-an547", "linear", 2)
    for form in list(batch.forms())[:3]:
        for case in form:
            _assert_same(case, case_at(case.label)[1])


def _assert_same(a: Case, b: Case) -> None:
    assert (a.label, a.sizes) == (b.label, b.sizes)
    for x, y in zip([*a.args, *a.call.args], [*b.args, *b.call.args], strict=True):
        assert np.array_equal(x, y) if isinstance(x, np.ndarray) else x == y


def test_every_other_case_has_drawn_knobs_that_its_address_reproduces():
    board, operator = "virt-rv32", "attention"
    kernel = next(i for i in registry.implementations(operator) if i.isa == "rv32im")
    batch = Batch(7, board, operator, 2)
    cases = [case for form in batch.forms() for case in form]
    chosen = {case.label: knobs_of(case, kernel) for case in cases}
    drawn = {label: config for label, config in chosen.items() if config}
    assert len(drawn) == batch.size // 2
    assert sum(int(label[-1]) % 2 for label in drawn) == batch.size // 4
    assert all(knobs_of(case_at(label)[1], kernel) == config for label, config in drawn.items())
    for knob in kernel.space(cases[0].call):
        assert len({config[knob.name] for config in drawn.values()}) > 1


def test_other_seeds_turns_and_boards_are_other_cases():
    batch = Batch(7, "mps3-an547", "rms_norm", 2)
    others = (replace(batch, seed=8), replace(batch, turn=6), replace(batch, board=HOST))
    drawn = {b.case(0, 0).args[0].tobytes() for b in (batch, *others)}
    assert len(drawn) == 4


@pytest.mark.parametrize(
    "address",
    ["", "7", "7/host/linear/0/0", "7/host/linear/0/99/0", "7/moon/linear/0/0/0", "7/host/x/0/0/0"],
)
def test_what_is_no_address_is_refused(address: str):
    with pytest.raises(UsageError, match="is the address of no case"):
        case_at(address)


def test_cases_that_were_not_compared_fail_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(nightly, "run_batch", all_right)
    assert nightly.main(["--cases", "1000", "--seed", "1"]) == 0
    lost = next(b for b in plan(1, 1000) if b.board != HOST)
    left = emulated_cases(plan(1, 1000)) - lost.size
    monkeypatch.setattr(nightly, "run_batch", lambda b: Outcome() if b == lost else all_right(b))
    assert left < 1000
    assert nightly.main(["--cases", "1000", "--seed", "1"]) == 1
    assert f"{left:,} cases were compared, 1,000 were asked for" in capsys.readouterr().err


def test_cases_on_the_host_are_not_counted_as_emulated():
    assert all_right(Batch(1, HOST, "linear", 0)).emulated() == 0


def test_a_resumed_run_does_the_rest_and_asks_for_no_more(monkeypatch: pytest.MonkeyPatch):
    done: list[Batch] = []
    monkeypatch.setattr(nightly, "run_batch", lambda b: done.append(b) or all_right(b))
    assert nightly.main(["--cases", "1000", "--seed", "1", "--first", "4"]) == 0
    assert done == plan(1, 1000)[4:]


@pytest.mark.parametrize("first", ["-1", "1000"])
def test_a_batch_that_is_not_there_is_an_error(first: str, capsys: pytest.CaptureFixture[str]):
    assert nightly.main(["--cases", "1000", "--first", first]) == UsageError.exit_code
    assert f"batch {first}" in capsys.readouterr().err


def test_a_kernel_without_cases_fails_the_run():
    outcome = Outcome()
    for batch in plan(1, 30_000):
        outcome.add(all_right(batch))
    assert nightly.scarce(outcome) == []
    del outcome.compared["mps3-an547", "armv8.1-m-mve", "linear"]
    assert "linear.armv8.1-m-mve (0)" in nightly.scarce(outcome)[0]


@pytest.mark.host
def test_a_wrong_case_is_found_stored_and_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    batch = Batch(9, HOST, "lookup", 0)
    bad = next(c for c in next(batch.forms())[1:] if c.expected().any())
    _break_the_reference(monkeypatch, bad.expected())
    seeds = tmp_path / "seeds.toml"
    seeds.write_text('cases = [\n  "1/host/lookup/0/0/0",\n]\n')
    monkeypatch.setattr(nightly, "SEEDS", seeds)
    monkeypatch.setattr(nightly, "plan", lambda *_: [batch])
    assert nightly.main(["--cases", "0"]) == 1
    assert nightly.stored() == ["1/host/lookup/0/0/0", bad.label]
    command = shlex.split(capsys.readouterr().err.split("again: ")[1].splitlines()[0])
    assert command == ["make", "nightly", f"CASE={bad.label}"]
    assert nightly.main(["--case", bad.label]) == 1
    monkeypatch.undo()
    assert nightly.main(["--case", bad.label]) == 0


def _break_the_reference(monkeypatch: pytest.MonkeyPatch, right: np.ndarray) -> None:
    """Let the reference of lookup be wrong where this would be right."""
    kind: type[Operator] = type(registry.operator("lookup"))
    reference = kind.reference

    def wrong(self: Operator, *arguments: object) -> np.ndarray:
        result = reference(self, *arguments)
        return np.zeros_like(result) if np.array_equal(result, right) else result

    monkeypatch.setattr(kind, "reference", wrong)


@pytest.mark.emulator
def test_an_image_that_crashes_is_traced_to_its_case(monkeypatch: pytest.MonkeyPatch):
    batch = Batch(9, "virt-rv32", "running_sum", 0)
    first = next(batch.forms())[3]
    monkeypatch.setattr(
        nightly_machines.EmulatedBench,
        "failures",
        lambda bench, _: [label for label in bench.labels if f" {first.label}, " in label],
    )
    outcome = run_batch(batch)
    assert list(outcome.wrong) == [first.label]
    assert outcome.emulated() == batch.size - 1


@pytest.mark.emulator
@pytest.mark.parametrize("address", nightly.stored())
def test_stored_case_is_right(address: str):
    assert nightly.main(["--case", address]) == 0


def test_stored_cases_are_of_every_instruction_set():
    found = (case_at(address) for address in nightly.stored())
    sets = {
        registry.choose(case.call, load_target(batch.board).core.isa).implementation.isa
        for batch, case in found
    }
    assert sets == set(INSTRUCTION_SETS)


def test_there_are_enough_cases_in_every_run_of_the_tests():
    counts = {"DSP": _dsp_cases(), "MVE": _mve_cases(), "RVV": _rvv_cases(), **_scalar_cases()}
    assert min(counts.values()) >= AT_LEAST, counts


def _dsp_cases() -> int:
    cases = {o: list(generate(0)) for o, (generate, _) in DSP_CASES.items()}
    return sum(_taken("armv7e-m-dsp", o, drawn) for o, drawn in cases.items())


def _mve_cases() -> int:
    module = test_kernels_mve
    sizes = (module.ODD, module.WHOLE, module.MIXED)
    return _vector_cases(module.ISA, 1, sizes, module.FORMS, module.CASES)


def _rvv_cases() -> int:
    module = test_kernels_rvv
    sizes = (module.ODD, module.WHOLE)
    return _vector_cases(module.ISA, 2, sizes, module.FORMS, module.CASES)


def _vector_cases(
    isa: str, stream: int, sizes: Sequence[Sequence[int]], forms: Mapping[str, int], count: int
) -> int:
    """Return how many cases the kernels take in a run of their test."""
    found = 0
    for choice in sizes:
        with drawn_from(choice):
            for operator, number in forms.items():
                drawn = forms_of(operator, stream, range(number), count)
                found += _taken(isa, operator, [case for form in drawn for case in form])
    return found


def _scalar_cases() -> dict[str, int]:
    """Return how many cases of all operators the kernels take on each board."""
    module = test_kernels_scalar
    drawn = {o: [case for case, _ in module.cases_of(o, 0)] for o in module.FORMS}
    return {b: sum(_taken(s, o, c) for o, c in drawn.items()) for b, s in module.BOARDS.items()}


def _taken(isa: str, operator: str, cases: Sequence[Case]) -> int:
    (kernel,) = (i for i in registry.implementations(operator) if i.isa == isa)
    return sum(not kernel.reject(case.call) for case in cases)
