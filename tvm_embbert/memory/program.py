"""The lowered program: kernels, the steps that call them, and the buffers in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tvm_embbert import compat
from tvm_embbert.errors import UsageError
from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.strategy.operator import ITEM_SIZES, Dim, IntegerCall, Kernel, Tensor
from tvm_embbert.strategy.registry import Choice, choose

Array = NDArray[Any]


@dataclass(frozen=True)
class Argument:
    """An argument of a kernel call.

    Attributes
    ----------
    kind : str
        ``buffer``, ``constant`` or ``scalar``.
    value : str or int
        Name of the buffer or constant; the number.
    """

    kind: str
    value: str | int


@dataclass(frozen=True, eq=False)
class Step:
    """One call of a kernel; `dims` gives its symbolic dimensions their values."""

    name: str
    operator: str
    kernel: str
    choice: Choice
    arguments: tuple[Argument, ...]
    dims: Mapping[str, Dim]
    reads: tuple[str, ...]
    writes: str
    scratch: tuple[str, ...]

    @property
    def buffers(self) -> tuple[str, ...]:
        """Return all buffers that the step touches."""
        return (*self.reads, self.writes, *self.scratch)


@dataclass(frozen=True, eq=False)
class Program:
    """What code is generated from.

    Attributes
    ----------
    steps : list of Step
        In the order that they run.
    buffers : dict
        By name; the input and the result are among them, though the caller owns these.
    constants : dict
        Arrays by name, each content once.
    kernels : dict
        PrimFuncs (S-TIR) by name, each content once.
    overlapping : set of str
        Kernels whose result may take an input's memory.
    in_place : dict
        Buffers that take over the memory of another, by name.
    """

    source: IntegerModule
    steps: list[Step]
    buffers: dict[str, Tensor]
    constants: dict[str, Array]
    kernels: dict[str, Any] = field(default_factory=dict)
    overlapping: set[str] = field(default_factory=set)
    in_place: dict[str, str] = field(default_factory=dict)

    @property
    def input(self) -> str:
        """Return the name of the token ids."""
        return self.source.input.name

    @property
    def result(self) -> str:
        """Return the name of the logits."""
        return self.source.result.name

    @property
    def outputs(self) -> int:
        """Return the number of logits."""
        return self.buffers[self.result].size(1) // ITEM_SIZES[self.buffers[self.result].dtype]


def build_program(
    module: IntegerModule, isa: Sequence[str], overrides: Mapping[str, str] | None = None
) -> Program:
    """Choose an implementation for each call and collect what they make.

    Parameters
    ----------
    module : IntegerModule
        The model.
    isa : sequence of str
        Instruction sets of the target's core.
    overrides : mapping, optional
        See :func:`tvm_embbert.strategy.registry.choose`.
    """
    module.check_result()
    _check_overrides(module, overrides or {})
    builder = _Builder(module)
    for call in module.calls:
        builder.add(call, choose(call, isa, overrides))
    return builder.program()


def _check_overrides(module: IntegerModule, overrides: Mapping[str, str]) -> None:
    """Raise :class:`UsageError` for an override of something that the model does not have."""
    known = {c.operator for c in module.calls} | {c.name for c in module.calls}
    for name in overrides.keys() - known:
        near = get_close_matches(name, known, 1)
        raise UsageError(
            f"The model has no operator or step {name!r} to choose a kernel for.",
            where="override",
            supported=", ".join(sorted({c.operator for c in module.calls})),
            hint=f"Did you mean {near[0]}?" if near else "See --explain for the steps.",
        )


class _Builder:
    def __init__(self, module: IntegerModule) -> None:
        self._module = module
        self._program = Program(module, [], {}, {})
        self._constant_names: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._add_buffer(module.input)

    def program(self) -> Program:
        """Return the program; in-place results are settled once all readers are known."""
        last_reader = {name: s.name for s in self._program.steps for name in s.reads}
        for result, source in list(self._program.in_place.items()):
            if last_reader[source] != result or source == self._program.input:
                del self._program.in_place[result]
        return self._program

    def add(self, call: IntegerCall, choice: Choice) -> None:
        """Append the step of a call."""
        kernel = choice.implementation.kernel(call)
        name = self._add_kernel(call.operator, kernel)
        self._add_buffer(call.output)
        scratch = tuple(f"{call.name}_{s.name}" for s in kernel.scratch)
        for owned, s in zip(scratch, kernel.scratch, strict=True):
            self._program.buffers[owned] = replace(s, name=owned)
        if kernel.in_place:
            self._program.in_place[call.name] = kernel.in_place
        reads = tuple(dict.fromkeys(t.name for t in call.tensors))
        arguments = self._arguments(call, kernel, scratch)
        step = Step(
            name=call.name,
            operator=call.operator,
            kernel=name,
            choice=choice,
            arguments=arguments,
            dims=kernel.dims,
            reads=reads,
            writes=call.name,
            scratch=scratch,
        )
        self._program.steps.append(step)

    def _add_buffer(self, tensor: Tensor) -> None:
        self._program.buffers[tensor.name] = tensor

    def _add_kernel(self, operator: str, kernel: Kernel) -> str:
        """Return the name of the kernel, which is added unless its like is there."""
        kernels = self._program.kernels
        for name, known in kernels.items():
            same = (name in self._program.overlapping) == bool(kernel.in_place)
            if same and compat.same_function(known, kernel.prim_func):
                return name
        number = sum(n.startswith(f"{operator}_kernel_") for n in kernels)
        name = f"{operator}_kernel_{number}"
        kernels[name] = kernel.prim_func
        if kernel.in_place:
            self._program.overlapping.add(name)
        return name

    def _arguments(
        self, call: IntegerCall, kernel: Kernel, scratch: Sequence[str]
    ) -> tuple[Argument, ...]:
        tensors = [Argument("buffer", t.name) for t in call.tensors]
        names = [str(p.name) for p in kernel.prim_func.params][len(tensors) :]
        pairs = zip(names, kernel.constants, strict=False)
        constants = [Argument("constant", self._constant(f"{call.name}_{n}", v)) for n, v in pairs]
        scalars = [Argument("scalar", value) for value in kernel.scalars]
        written = [Argument("buffer", name) for name in (call.name, *scratch)]
        return (*tensors, *constants, *scalars, *written)

    def _constant(self, name: str, value: Array) -> str:
        value = np.ascontiguousarray(value)
        key = (str(value.dtype), value.shape, value.tobytes())
        if key not in self._constant_names:
            self._constant_names[key] = name
            self._program.constants[name] = value
        return self._constant_names[key]
