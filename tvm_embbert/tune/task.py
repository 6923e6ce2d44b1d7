"""Tasks: the kernels of a model that have something to choose, each with values to run it on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from tvm_embbert.program.build import build_program
from tvm_embbert.program.program import Step
from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.strategy.knobs import Knob
from tvm_embbert.strategy.operator import Array, Implementation, IntegerCall, Tensor
from tvm_embbert.tune.signature import signature

ROWS = 24
"""Rows that a kernel computes when it is measured: a multiple of the heights of usual blocks."""

Identity = tuple[str, str]
"""Names of an implementation and of what calls have in common: a task at any number of rows."""


@dataclass(frozen=True, eq=False)
class Task:
    """A kernel to be tuned: an implementation, for all calls of one signature.

    Attributes
    ----------
    implementation : Implementation
        What computes the calls.
    call : IntegerCall
        The first of them.
    args : tuple
        Its arguments, with values in the place of tensors: those of a sentence of `length` tokens.
    expected : array
        Its result, by the integer reference.
    first, rows : int
        The rows that are computed when it is measured.
    length : int
        Tokens of the input.
    steps : list of str
        Names of all calls that it stands for.
    narrowed : tuple of Knob or None
        The knobs with the values that are worth a try; None for all of the implementation's.
    """

    implementation: Implementation
    call: IntegerCall
    args: tuple[Any, ...]
    expected: Array
    first: int
    rows: int
    length: int
    steps: list[str] = field(default_factory=list)
    narrowed: tuple[Knob, ...] | None = None

    @property
    def operator(self) -> str:
        """Return the operator's name."""
        return self.call.operator

    @cached_property
    def signature(self) -> str:
        """Return what the calls have in common."""
        return signature(self.call)

    @property
    def identity(self) -> Identity:
        """Return what the task is at any number of rows; a record is looked up by it."""
        return self.implementation.name, self.signature

    @property
    def name(self) -> str:
        """Return what the log calls the task."""
        return f"{self.implementation.name}: {self.signature}, {self.rows} rows"

    @cached_property
    def knobs(self) -> tuple[Knob, ...]:
        """Return what there is to choose."""
        return self.narrowed or self.implementation.space(self.call)

    @property
    def size(self) -> int:
        """Return the number of candidates."""
        return prod(len(k.values) for k in self.knobs)

    @property
    def runs(self) -> float:
        """Return how many measured runs an inference of `length` tokens is like."""
        return len(self.steps) * self.expected.shape[0] / self.rows if self.rows else 0.0


def extract_tasks(
    module: IntegerModule,
    isa: Sequence[str],
    length: int,
    overrides: Mapping[str, str] | None = None,
    operators: Sequence[str] = (),
    rows: int = ROWS,
    seed: int = 0,
) -> list[Task]:
    """Return the tasks of a model.

    Parameters
    ----------
    module : IntegerModule
        The model.
    isa : sequence of str
        Instruction sets of the core.
    length : int
        Tokens of the sentence whose values the kernels are measured on.
    overrides : mapping, optional
        Implementation to use, by operator or call.
    operators : sequence of str
        Names of those wanted; all where it is empty.
    rows : int
        Rows to compute at once, of kernels that can compute some rows alone.
    seed : int
        Draws the sentence.
    """
    program = build_program(module, isa, overrides)
    values = module.values(sentence(module, length, seed))
    tasks: dict[str, Task] = {}
    for step, call in zip(program.steps, module.calls, strict=True):
        if not operators or call.operator in operators:
            task = _task(step, call, values, length, rows)
            tasks.setdefault(task.name, task).steps.append(call.name)
    return list(tasks.values())


def sentence(module: IntegerModule, length: int, seed: int) -> Array:
    """Return token ids that every embedding table knows, none of them padding."""
    tables = [
        c.constants[0].shape[0]
        for c in module.calls
        if c.operator == "gather" and c.tensors[0].name == module.input.name
    ]
    lowest = 0 if module.pad_token is None else module.pad_token + 1
    drawn = np.random.default_rng(seed).integers(lowest, min(tables, default=2), length)
    return drawn.astype(np.int32)


def _task(
    step: Step, call: IntegerCall, values: Mapping[str, Array], length: int, rows: int
) -> Task:
    args = tuple(values[a.name] if isinstance(a, Tensor) else a for a in call.args)
    expected = values[call.output.name]
    total = expected.shape[0] if expected.ndim else 1
    computed = min(rows, total) if step.tileable else total
    # In the middle: rows at the start may have an easier time, as those of a window.
    first = (total - computed) // 2
    return Task(step.choice.implementation, call, args, expected, first, computed, length)
