"""Kernels for cores without vectors on emulated boards, byte for byte, with any values of knobs.

``EMBBERT_CASES=N`` takes N times as many cases.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from emulated_bench import EmulatedBench
from kernel_bench import Case
from random_cases import GENERATORS, Rng, case_of, drawn_from
from scalar_intrinsics import BURSTS, INTRINSICS

from tvm_embbert.strategy import registry
from tvm_embbert.strategy.knobs import Value
from tvm_embbert.strategy.operator import Implementation, IntegerCall
from tvm_embbert.target_file import load_target

pytestmark = pytest.mark.emulator

TIMES = int(os.environ.get("EMBBERT_CASES", "1"))
BOARDS = {"mps2-an385": "armv7-m", "mps2-an521": "armv7-m", "virt-rv32": "rv32im"}
FORMS = {"linear": 40, "attention": 40, "causal_convolution": 40}
CASES = 4
LEAST = {"linear": 70, "attention": 160, "causal_convolution": 160}
"""Cases that the kernels must take, of ``FORMS * CASES``; the others have inputs of 16 bits."""


def cases_of(operator: str, part: int) -> Iterator[tuple[Case, list[int]]]:
    """Yield cases of odd sizes with their seeds; each form has several, each part others."""
    for number in range(FORMS[operator]):
        seed = [zlib.crc32(operator.encode()), 3, part, number]
        call, draw = GENERATORS[operator][0](np.random.default_rng(seed))
        for index in range(CASES):
            yield case_of(call, draw, seed, index), [*seed, index]


def implementation_of(operator: str, isa: str) -> Implementation:
    return next(i for i in registry.implementations(operator) if i.isa == isa)


def drawn(implementation: Implementation, call: IntegerCall, rng: Rng) -> dict[str, Value]:
    """Return a value of each knob, drawn."""
    knobs = implementation.knobs(call)
    return {k.name: k.values[int(rng.integers(len(k.values)))] for k in knobs}


@pytest.mark.parametrize("operator", FORMS)
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("part", range(TIMES))
def test_kernel_gives_the_bytes_of_the_reference(
    operator: str, board: str, part: int, tmp_path: Path
) -> None:
    """Run every case with the defaults or, every other one, with values drawn."""
    bench = EmulatedBench(load_target(board))
    implementation = implementation_of(operator, BOARDS[board])
    taken = 0
    for case, seed in cases_of(operator, part):
        if not implementation.reject(case.call):
            rng = np.random.default_rng([*seed, 7])
            bench.add(
                implementation, case, drawn(implementation, case.call, rng) if taken % 2 else {}
            )
            taken += 1
    assert taken >= LEAST[operator]
    assert bench.failures(tmp_path) == []


@pytest.mark.parametrize("board", ["mps2-an385", "mps2-an521"])
@pytest.mark.parametrize("operator", ["linear", "attention"])
def test_bursts_give_the_bytes_of_the_reference(operator: str, board: str, tmp_path: Path) -> None:
    """Run sizes that are whole turns, so that rows of 8 have their bytes beside the words."""
    bench = EmulatedBench(load_target(board))
    implementation = implementation_of(operator, "armv7-m")
    beside = 0
    with drawn_from((1, 4, 9, 16, 24, 64, 128)):
        for case, seed in cases_of(operator, 99):
            if not implementation.reject(case.call):
                values = drawn(implementation, case.call, np.random.default_rng([*seed, 7]))
                chosen = {**values, "multiply": "burst", "rows": pick_rows(seed)}
                names = [i.name for i in implementation.build(case.call, chosen).intrinsics]
                beside += any("burst_8x1" in name for name in names)
                bench.add(implementation, case, chosen)
    assert (beside > 0) == (operator == "linear")
    assert bench.failures(tmp_path) == []


def pick_rows(seed: list[int]) -> int:
    """Return rows of a block: 8 for every other case."""
    return 8 if seed[-1] % 2 else 2 + 2 * (sum(seed) % 3)


@pytest.mark.parametrize(
    ("board", "name"),
    [(b, n) for b in ("mps2-an385", "virt-rv32") for n in INTRINSICS]
    + [(b, n) for b in ("mps2-an385", "mps2-an521") for n in BURSTS],
)
@pytest.mark.parametrize("part", range(TIMES))
def test_intrinsic_is_what_its_meaning_says(
    name: str, board: str, part: int, tmp_path: Path
) -> None:
    bench = EmulatedBench(load_target(board))
    generate, draws = {**INTRINSICS, **BURSTS}[name]
    for draw in range(draws):
        rng = np.random.default_rng([zlib.crc32(name.encode()), part, draw])
        for intrinsic, arrays, dims in generate(rng, BOARDS[board]):
            bench.add_intrinsic(intrinsic, arrays, dims)
    assert bench.failures(tmp_path) == []


@pytest.mark.parametrize(
    ("board", "right", "wrong"),
    [("mps2-an385", "smlal", "umlal"), ("virt-rv32", "srl t6", "sra t6")],
)
def test_a_wrong_intrinsic_is_found(board: str, right: str, wrong: str, tmp_path: Path) -> None:
    """Guard against a comparison that sees nothing."""
    bench = EmulatedBench(load_target(board))
    generate, draws = INTRINSICS["scores"]
    changed = 0
    for draw in range(draws):
        for intrinsic, arrays, dims in generate(np.random.default_rng(draw), BOARDS[board]):
            changed += right in intrinsic.c
            broken = replace(intrinsic, c=intrinsic.c.replace(right, wrong))
            bench.add_intrinsic(broken, arrays, dims)
    assert changed
    assert bench.failures(tmp_path) != []
