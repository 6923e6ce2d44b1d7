"""Random cases for kernels of vector instruction sets, with values of their knobs."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from emulated_bench import EmulatedBench
from kernel_bench import Case
from random_cases import GENERATORS, Rng

from tvm_embbert.strategy import registry
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Tensor

Seed = Sequence[int]


def forms_of(operator: str, stream: int, numbers: range, count: int) -> Iterator[list[Case]]:
    """Yield the cases of each form: `count` of them, all from a seed of stream and number."""
    for number in numbers:
        seed = [zlib.crc32(operator.encode()), stream, number]
        call, draw = GENERATORS[operator][0](np.random.default_rng(seed))
        cases = []
        for index in range(count):
            args, sizes = draw(np.random.default_rng([*seed, index]))
            pairs = zip(call.args, args, strict=True)
            filled = tuple(t if isinstance(t, Tensor) else a for t, a in pairs)
            label = f"{operator}, {[*seed, index]}"
            cases.append(Case(label, replace(call, args=filled), args, sizes))
        yield cases


def drawn(rng: Rng, implementation: Implementation, call: IntegerCall) -> Config:
    """Return a value of each knob of the kernel for a call, at random."""
    space = implementation.space(call)
    return {k.name: k.values[int(rng.integers(len(k.values)))] for k in space}


def add_cases(bench: EmulatedBench, isa: str, cases: Sequence[Case], knobs: int = 0) -> int:
    """Add the cases that an instruction set's kernels take; returns how many.

    With `knobs`, each case runs with so many drawn sets of values rather than with the defaults.
    """
    taken = 0
    for case in cases:
        implementation = registry.choose(case.call, [isa, "portable"]).implementation
        if implementation.isa != isa:
            continue
        rng = np.random.default_rng(zlib.crc32(case.label.encode()))
        for chosen in [drawn(rng, implementation, case.call) for _ in range(knobs)] or [{}]:
            bench.add(implementation, case, chosen)
            taken += 1
    return taken
