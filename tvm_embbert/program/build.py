"""From integer calls to a program: an implementation for each call, kernels and constants once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches

import numpy as np

from tvm_embbert import compat
from tvm_embbert.errors import UsageError
from tvm_embbert.program.access import ROWS, argument, parameter_shapes
from tvm_embbert.program.in_place import settle_in_place
from tvm_embbert.program.program import Access, Argument, Array, Program, Step
from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.strategy import registry
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.strategy.operator import IntegerCall, Kernel, Tensor
from tvm_embbert.strategy.registry import Choice, choose

Configure = Callable[[Choice], Config]
"""Which values of its knobs an implementation takes for a call; defaults are not named."""


def build_program(
    module: IntegerModule,
    isa: Sequence[str],
    overrides: Mapping[str, str] | None = None,
    configure: Configure | None = None,
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
    configure : callable, optional
        Which values of knobs the kernels take; the defaults where it is not given.
    """
    module.check_result()
    _check_overrides(module, overrides or {})
    builder = _Builder(module, configure or (lambda _: {}))
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
    def __init__(self, module: IntegerModule, configure: Configure) -> None:
        self._module, self._configure = module, configure
        self._program = Program(module, [], {}, {})
        self._constant_names: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._add_buffer(module.input)

    def program(self) -> Program:
        """Return the program; in-place results are settled once all readers are known."""
        return replace(self._program, in_place=settle_in_place(self._program))

    def add(self, call: IntegerCall, choice: Choice) -> None:
        """Append the step of a call."""
        kernel = choice.implementation.build(call, self._configure(choice))
        name = self._add_kernel(call.operator, kernel)
        self._add_buffer(call.output)
        scratch = tuple(f"{call.name}_{s.name}" for s in kernel.scratch)
        for owned, s in zip(scratch, kernel.scratch, strict=True):
            self._program.buffers[owned] = replace(s, name=owned)
        step = Step(
            name=call.name,
            operator=call.operator,
            kernel=name,
            choice=choice,
            arguments=self._arguments(call, kernel, scratch),
            dims=kernel.dims,
            reads=tuple(dict.fromkeys(t.name for t in call.tensors)),
            writes=call.name,
            scratch=scratch,
            takes=kernel.in_place,
            window=kernel.window,
            row_block=kernel.row_block,
            masters=choice.implementation.masters,
        )
        self._program.steps.append(replace(step, tileable=_is_tileable(step)))

    def _add_buffer(self, tensor: Tensor) -> None:
        self._program.buffers[tensor.name] = tensor

    def _add_kernel(self, operator: str, kernel: Kernel) -> str:
        """Return the name of the kernel, which is added unless its like is there."""
        kernels = self._program.kernels
        for name, known in kernels.items():
            same = (name in self._program.overlapping) == bool(kernel.in_place)
            same &= self._program.levels[name] == kernel.optimize
            if same and compat.same_function(known, kernel.prim_func):
                return name
        number = sum(n.startswith(f"{operator}_kernel_") for n in kernels)
        name = f"{operator}_kernel_{number}"
        kernels[name] = kernel.prim_func
        self._program.levels[name] = kernel.optimize
        self._program.calls[name] = kernel.intrinsics
        if kernel.in_place:
            self._program.overlapping.add(name)
        return name

    def _arguments(
        self, call: IntegerCall, kernel: Kernel, scratch: Sequence[str]
    ) -> tuple[Argument, ...]:
        """Return what the kernel is called with, in the order of its parameters."""
        given: list[tuple[str, str | int]] = [("buffer", t.name) for t in call.tensors]
        names = [str(p.name) for p in kernel.prim_func.params][len(given) :]
        for name, value in zip(names, kernel.constants, strict=False):
            given.append(("constant", self._constant(f"{call.name}_{name}", value)))
        given += [("scalar", value) for value in kernel.scalars]
        given += [("buffer", name) for name in (call.name, *scratch)]
        shapes = parameter_shapes(kernel.prim_func)
        pairs = zip(given, shapes, strict=True)
        return tuple(argument(kind, value, shape) for (kind, value), shape in pairs)

    def _constant(self, name: str, value: Array) -> str:
        value = np.ascontiguousarray(value)
        key = (str(value.dtype), value.shape, value.tobytes())
        if key not in self._constant_names:
            self._constant_names[key] = name
            self._program.constants[name] = value
        return self._constant_names[key]


def _is_tileable(step: Step) -> bool:
    """Return whether the kernel computes any rows alone, and does so for a varying number."""
    by_rows = step.accesses(step.writes) == [Access.ROWS]
    varying = isinstance(step.dims.get(ROWS), str)
    return registry.operator(step.operator).row_local and by_rows and varying
