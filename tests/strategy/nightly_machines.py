"""Where nightly cases run: groups of them as images on emulated boards, or on the host."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from emulated_bench import EmulatedBench
from kernel_bench import Case, KernelBench
from nightly_cases import HOST, Batch, knobs_of

from tvm_embbert.errors import EmbBertError
from tvm_embbert.strategy import registry
from tvm_embbert.target import Target
from tvm_embbert.target_file import load_target

GROUP_BYTES = 512 * 1024
"""Bytes of arrays from which on a group is run: boards have 2 MiB, and a form takes up to 1."""
REGISTER_BITS = (128, 256, 512)
"""Lengths of vector registers, turn by turn."""


@dataclass
class Outcome:
    """Cases that were compared, by board, instruction set and operator, and what was wrong."""

    compared: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    wrong: dict[str, str] = field(default_factory=dict)

    def add(self, other: Outcome) -> None:
        self.compared += other.compared
        self.wrong |= other.wrong

    def emulated(self) -> int:
        """Return how many cases were compared on emulated boards."""
        return sum(n for (board, *_), n in self.compared.items() if board != HOST)


def run_batch(batch: Batch) -> Outcome:
    """Compute all cases of a batch, and compare them with the references."""
    outcome = Outcome()
    for group in _groups(batch):
        outcome.add(run_group(batch, group))
    return outcome


def _groups(batch: Batch) -> Iterator[list[Case]]:
    """Yield the forms' cases together as long as they fit a board."""
    group: list[Case] = []
    held = 0
    for form in batch.forms():
        group += form
        held += sum(_bytes(case) for case in form)
        if held > GROUP_BYTES:
            yield group
            group, held = [], 0
    if group:
        yield group


def _bytes(case: Case) -> int:
    return sum(a.nbytes for a in case.args if isinstance(a, np.ndarray))


def run_group(batch: Batch, cases: Sequence[Case]) -> Outcome:
    """Run cases in one program; where that fails, each in one of its own, to know which.

    Whatever is raised meanwhile belongs to a case, too: a kernel that cannot be made, an image that
    crashes or hangs.
    """
    try:
        compared = _run(batch, cases)
    except (EmbBertError, AssertionError, ArithmeticError, LookupError, TypeError, ValueError) as e:
        if len(cases) == 1:
            return Outcome(wrong={cases[0].label: _first_line(e)})
        return _one_by_one(batch, cases, e)
    return Outcome(compared)


def _one_by_one(batch: Batch, cases: Sequence[Case], error: Exception) -> Outcome:
    outcome = Outcome()
    for case in cases:
        outcome.add(run_group(batch, [case]))
    if not outcome.wrong:
        where = f"{cases[0].label} to {cases[-1].label}, together alone"
        outcome.wrong[where] = _first_line(error)
    return outcome


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[:1]}"


def _run(batch: Batch, cases: Sequence[Case]) -> Counter[tuple[str, str, str]]:
    """Return how many cases were right; raises an error if any was not."""
    with tempfile.TemporaryDirectory(prefix="embbert-nightly-") as folder:
        if batch.board == HOST:
            isas = _run_on_host(cases, Path(folder))
        else:
            isas = _run_on_board(_target(batch), cases, Path(folder))
    return Counter((batch.board, isa, batch.operator) for isa in isas)


def _run_on_host(cases: Sequence[Case], folder: Path) -> list[str]:
    bench = KernelBench()
    names = [bench.add([case]) for case in cases]
    bench.build(folder)
    for name, case in zip(names, cases, strict=True):
        result, expected = bench.run(name, case), case.expected()
        assert result.tobytes() == expected.tobytes(), f"{case.label} differs from the reference"
        assert result.dtype == expected.dtype
    return ["portable"] * len(cases)


def _run_on_board(target: Target, cases: Sequence[Case], folder: Path) -> list[str]:
    """Compute each case as the compiler would on that board, and compare there."""
    bench = EmulatedBench(target)
    isas = []
    for case in cases:
        implementation = registry.choose(case.call, target.core.isa).implementation
        bench.add(implementation, case, knobs_of(case, implementation))
        isas.append(implementation.isa)
    wrong = bench.failures(folder)
    assert wrong == [], f"differs from the reference: {wrong[0]}"
    return isas


def _target(batch: Batch) -> Target:
    """Return the board; one with vectors has registers of another length each turn."""
    target = load_target(batch.board)
    emulator = target.core.emulator
    if emulator is None or "vlen=128" not in emulator.cpu:
        return target
    bits = REGISTER_BITS[batch.turn % len(REGISTER_BITS)]
    longer = replace(emulator, cpu=emulator.cpu.replace("vlen=128", f"vlen={bits}"))
    return replace(target, core=replace(target.core, emulator=longer))
