"""Programs made by hand or at random: names, sizes, readers and writers alone."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace

import numpy as np

from tvm_embbert.memory.plan import MemoryPlan
from tvm_embbert.program.program import Program, Step
from tvm_embbert.strategy.operator import Tensor

LENGTH = 10
Line = tuple[str, Iterable[str], Iterable[str]]
"""What a step writes, what it reads, and its scratch."""


def program(
    lines: Iterable[Line], sizes: dict[str, int], in_place: dict[str, str] | None = None
) -> Program:
    """Return a program from ``ids`` to ``logits``; sizes are bytes a token."""
    steps = [
        Step(writes, "op", "kernel", None, (), {}, tuple(reads), writes, tuple(scratch))
        for writes, reads, scratch in lines
    ]
    names = {"ids": 0} | {n: 0 for s in steps for n in s.buffers}
    buffers = {n: Tensor(n, ("n", sizes.get(n, 1)), "int8") for n in names}
    source = SimpleNamespace(
        input=SimpleNamespace(name="ids"), result=SimpleNamespace(name="logits")
    )
    return Program(source, steps, buffers, {}, in_place=in_place or {})


def offsets_of(plan: MemoryPlan) -> dict[str, int]:
    """Return the offset of each buffer of a plan of one pool."""
    return {name: offset for name, (_, offset) in plan.places.items()}


def random_program(rng: np.random.Generator) -> Program:
    """Return a program of 3 to 14 steps, some of them with scratch or in place."""
    lines: list[Line] = []
    written = ["ids"]
    for number in range(rng.integers(2, 14)):
        reads = {str(rng.choice(written)) for _ in range(rng.integers(1, 4))}
        scratch = [f"s{number}_{i}" for i in range(rng.integers(0, 3) * (rng.random() < 0.4))]
        lines.append((f"b{number}", sorted(reads), scratch))
        written.append(f"b{number}")
    lines.append(("logits", [written[-1]], []))
    names = {n for line in lines for n in (line[0], *line[2])}
    sizes = {n: int(rng.integers(1, 40)) for n in sorted(names)}
    in_place = _in_place(rng, lines, sizes)
    return program(lines, sizes, in_place)


def _in_place(rng: np.random.Generator, lines: list[Line], sizes: dict[str, int]) -> dict[str, str]:
    """Let some results take the place of what is read for the last time."""
    last = {name: writes for writes, reads, _ in lines for name in reads}
    taken: dict[str, str] = {}
    for writes, reads, _ in lines[:-1]:
        free = [n for n in reads if last[n] == writes and n != "ids"]
        if free and rng.random() < 0.4:
            taken[writes] = free[0]
            sizes[writes] = sizes[free[0]]
    return taken
