"""A candidate: a task's kernel with a value of each knob, as C that runs on the task's values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tvm_embbert.codegen.c_printer import CFunction, print_c
from tvm_embbert.program.access import BEFORE, ROWS, access_of, parameter_shapes
from tvm_embbert.program.lower_tir import lower_tir
from tvm_embbert.program.program import Access
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.strategy.operator import Array, Kernel, Tensor
from tvm_embbert.tune.task import Task


@dataclass(frozen=True)
class Argument:
    """What a kernel is called with: values, a number, or memory of some bytes to write to."""

    value: Any
    constant: bool = False
    """Whether the values stay in flash."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A task's kernel with a value of each knob."""

    task: Task
    config: Config

    @cached_property
    def kernel(self) -> Kernel:
        """Return the kernel; raises :class:`UsageError` if the values do not go together."""
        return self.task.implementation.build(self.task.call, self.config)

    @cached_property
    def function(self) -> CFunction:
        """Return the kernel's C."""
        called = {i.name: i for i in self.kernel.intrinsics}
        return print_c(lower_tir(self.kernel.prim_func), not self.kernel.in_place, called)

    @property
    def scratch_bytes(self) -> int:
        """Return the bytes of scratch for inputs of the task's length."""
        return sum(s.size(self.task.length) for s in self.kernel.scratch)

    @property
    def expected(self) -> Array:
        """Return the rows that the kernel has to compute."""
        return self._rows(self.task.expected, Access.ROWS)

    def arguments(self) -> Iterator[Argument]:
        """Yield the arguments in the order of the C function's parameters.

        The result's is its size in bytes, as are those of scratch.
        """
        accesses = [access_of(shape) for shape in parameter_shapes(self.kernel.prim_func)]
        pairs = zip(self.task.args, self.task.call.args, strict=True)
        inputs = [value for value, declared in pairs if isinstance(declared, Tensor)]
        for value, access in zip(inputs, accesses, strict=False):
            yield Argument(self._rows(value, access))
        for value, access in zip(self.kernel.constants, accesses[len(inputs) :], strict=False):
            yield Argument(self._rows(value, access), constant=True)
        for number in self.kernel.scalars:
            yield Argument(number)

    def written(self) -> list[int]:
        """Return the bytes of the result and of each scratch."""
        return [self.expected.nbytes, *(s.size(self.task.length) for s in self.kernel.scratch)]

    def dims(self) -> list[int]:
        """Return the symbolic dimensions that the C function takes behind its other parameters."""
        known = {n: self.task.length if isinstance(d, str) else d for n, d in self._sizes.items()}
        return [known[name] for name in self.function.dims]

    @property
    def _sizes(self) -> dict[str, int | str]:
        before = min(self.task.first, self.kernel.window)
        return {**self.kernel.dims, ROWS: self.task.rows, BEFORE: before}

    def _rows(self, value: Array, access: Access) -> Array:
        """Return the part of a tensor that the kernel is given."""
        if access is Access.WHOLE:
            return value
        first, end = self.task.first, self.task.first + self.task.rows
        before = min(first, self.kernel.window) if access is Access.WINDOW else 0
        return np.ascontiguousarray(value[first - before : end])
