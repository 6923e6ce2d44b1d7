"""Instructions of the shipped model on an emulated board, by length and by operator."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from macs import PER_INSTRUCTION, multiply_accumulates

import tvm_embbert
from tvm_embbert.compiled import CompiledModel, library_sources
from tvm_embbert.lowering import Lowered
from tvm_embbert.measure import EmulatorSession, build_image
from tvm_embbert.models.checkpoint import Model
from tvm_embbert.quantize.integer_module import IntegerModule

LENGTHS = (12, 32, 64, 128, 256)


def sentence(length: int, vocabulary: int) -> list[int]:
    """Return token ids, the same each time: none of them padding."""
    drawn: list[int] = np.random.default_rng(length).integers(5, vocabulary, length).tolist()
    return [2, *drawn[1:]]


def measure(
    model: Model, integer: IntegerModule, board: str, lengths: Sequence[int] = LENGTHS
) -> dict[str, Any]:
    """Return what one board takes: memory once, instructions and multiply-accumulates by length."""
    lowered = tvm_embbert.lower_model(model, integer, board)
    with tempfile.TemporaryDirectory() as folder:
        compiled = tvm_embbert.build(lowered, Path(folder) / "out", model, measure=False)
        memory = compiled.report["memory"]
        return {
            "core": lowered.target.core.name,
            "isa": lowered.target.core.isa[0],
            "limit": PER_INSTRUCTION.get(lowered.target.core.isa[0], 1.0),
            "ram": memory["ram"],
            "flash": memory["flash"],
            "lengths": {str(n): _counts(lowered, compiled, n) for n in lengths},
        }


def totals(compiled: CompiledModel, lengths: Sequence[int], vocabulary: int) -> dict[str, int]:
    """Return the instructions of an inference of each length."""
    with compiled.session() as session:
        counted = {n: session.infer(sentence(n, vocabulary)).instructions for n in lengths}
    return {str(n): int(count or 0) for n, count in counted.items()}


def _counts(lowered: Lowered, compiled: CompiledModel, length: int) -> dict[str, Any]:
    vocabulary = lowered.interface.vocabulary
    total = totals(compiled, [length], vocabulary)[str(length)]
    sources = library_sources(compiled.folder, lowered.names)
    with tempfile.TemporaryDirectory() as folder:
        image = build_image(sources, lowered.target, Path(folder), profile=True)
        with EmulatorSession(image) as session:
            steps = session.profile(sentence(length, vocabulary))
    instructions: Counter[str] = Counter()
    macs: Counter[str] = Counter()
    for step, count in zip(lowered.program.steps, steps, strict=True):
        instructions[step.operator] += count
        macs[step.operator] += multiply_accumulates(step, length)
    operators = {
        name: {"instructions": count, "macs": macs[name]}
        for name, count in sorted(instructions.items())
    }
    return {"instructions": total, "macs": sum(macs.values()), "operators": operators}
