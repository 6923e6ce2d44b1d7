"""Kernels printed as C, compiled into one library and called through ctypes."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tvm_embbert.codegen.c_printer import CFunction, print_c
from tvm_embbert.measure.sources import RUNTIME
from tvm_embbert.program.access import BEFORE, ROWS, access_of, parameter_shapes
from tvm_embbert.program.lower_tir import lower_tir
from tvm_embbert.program.program import Access
from tvm_embbert.strategy import registry
from tvm_embbert.strategy.operator import IntegerCall, Kernel, Tensor

WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Werror")
MARGIN = 64
FILL = 0x5A


@dataclass(frozen=True, eq=False)
class Case:
    """A call with values: `args` has arrays in the place of tensors, `sizes` symbolic numbers."""

    label: str
    call: IntegerCall
    args: tuple[Any, ...]
    sizes: dict[str, int]

    @property
    def rows(self) -> int:
        rows = self.call.rows
        return self.sizes[rows] if isinstance(rows, str) else rows

    def expected(self) -> np.ndarray:
        operator = registry.operator(self.call.operator)
        return operator.reference(self.call, self.args, self.rows)


class KernelBench:
    """Collects kernels, builds them once and runs cases on them."""

    def __init__(self, isa: str = "portable") -> None:
        self._isa = isa
        self._names: dict[CFunction, str] = {}
        self._library: Any = None

    def add(self, cases: Sequence[Case]) -> str:
        """Print the kernel that all the cases share; returns its name in C."""
        kernel = self._kernel(cases[0].call)
        function = print_c(lower_tir(kernel.prim_func), restrict=not kernel.in_place)
        return self._names.setdefault(function, f"kernel_{len(self._names)}")

    def build(self, folder: Path) -> None:
        """Compile all kernels with warnings as errors."""
        source, library = folder / "kernels.c", folder / "kernels.so"
        parts = ['#include "tvm_embbert_arithmetic.h"\n']
        parts += [function.definition(name) for function, name in self._names.items()]
        source.write_text("\n".join(parts))
        compiler = shutil.which("cc") or "gcc"
        flags = ["-std=c99", "-O2", *WARNINGS, f"-I{RUNTIME / 'include'}", "-shared", "-fPIC"]
        command = [compiler, *flags, str(source), "-o", str(library)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[:4000]
        self._library = ctypes.CDLL(str(library))

    def run(self, name: str, case: Case, in_place: bool = False) -> np.ndarray:
        """Run a kernel; the result must leave the memory around it as it was."""
        inputs = [np.array(a) for a, t in _paired(case) if isinstance(t, Tensor)]
        out = _Guarded((case.rows, *case.call.output.shape[1:]), case.call.output.dtype)
        if in_place:
            out.array[:] = inputs[0][: case.rows]
            inputs[0] = out.array
        return self._call(name, case, inputs, out, {ROWS: case.call.rows, BEFORE: 0})

    def run_rows(self, name: str, case: Case, first: int, rows: int) -> np.ndarray:
        """Compute some rows of the result from what the kernel says it needs for them."""
        kernel = self._kernel(case.call)
        before = min(first, kernel.window)
        begin = {Access.ROWS: first, Access.WINDOW: first - before, Access.WHOLE: 0}
        accesses = [access_of(shape) for shape in parameter_shapes(kernel.prim_func)]
        inputs = [np.array(a) for a, t in _paired(case) if isinstance(t, Tensor)]
        end = {Access.ROWS: first + rows, Access.WINDOW: first + rows, Access.WHOLE: None}
        cut = [x[begin[a] : end[a]].copy() for x, a in zip(inputs, accesses, strict=False)]
        tables = accesses[len(inputs) :]
        constants = [c[begin[a] :] for c, a in zip(kernel.constants, tables, strict=False)]
        out = _Guarded((rows, *case.call.output.shape[1:]), case.call.output.dtype)
        return self._call(name, case, cut, out, {ROWS: rows, BEFORE: before}, constants)

    def _call(
        self,
        name: str,
        case: Case,
        inputs: Sequence[np.ndarray],
        out: _Guarded,
        dims: dict[str, int | str],
        constants: Sequence[np.ndarray] | None = None,
    ) -> np.ndarray:
        kernel = self._kernel(case.call)
        function = next(f for f, n in self._names.items() if n == name)
        scratch = [_Guarded(self._shape(s.shape, case), s.dtype) for s in kernel.scratch]
        chosen = kernel.constants if constants is None else constants
        fixed = [*map(np.ascontiguousarray, chosen), *kernel.scalars]
        values = [*inputs, *fixed, out.array, *(s.array for s in scratch)]
        values += self._shape([{**kernel.dims, **dims}[d] for d in function.dims], case)
        getattr(self._library, name)(*map(_c_value, function.parameters, values))
        for memory in (out, *scratch):
            assert memory.margins_intact(), f"{case.label}: wrote outside its memory"
        return out.array

    def _kernel(self, call: IntegerCall) -> Kernel:
        return registry.choose(call, [self._isa]).implementation.build(call)

    def _shape(self, dims: Sequence[int | str], case: Case) -> tuple[int, ...]:
        return tuple(case.sizes[d] if isinstance(d, str) else d for d in dims)


class _Guarded:
    def __init__(self, shape: Sequence[int], dtype: str) -> None:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        self._bytes = np.full(size + 2 * MARGIN, FILL, np.uint8)
        self.array = self._bytes[MARGIN : MARGIN + size].view(dtype).reshape(tuple(shape))

    def margins_intact(self) -> bool:
        around = np.concatenate([self._bytes[:MARGIN], self._bytes[-MARGIN:]])
        return bool((around == FILL).all())


def _paired(case: Case) -> zip[tuple[Any, Any]]:
    return zip(case.args, case.call.args, strict=True)


def _c_value(declaration: str, value: Any) -> Any:
    if "*" in declaration:
        return ctypes.c_void_p(value.ctypes.data)
    return ctypes.c_int64(value) if "int64" in declaration else ctypes.c_int32(value)
