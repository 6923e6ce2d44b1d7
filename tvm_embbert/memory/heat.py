"""How often a program touches its buffers: counted in the kernels' own loops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from tvm_embbert import compat
from tvm_embbert.memory.bounds import Bounds
from tvm_embbert.program.access import BEFORE
from tvm_embbert.program.lower_tir import lower_tir
from tvm_embbert.program.program import Program, Step
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic

Node = Any
_PARTS = ("a", "b", "value", "condition", "true_value", "false_value", "then_case", "else_case")


def accesses(program: Program, length: int) -> dict[str, int]:
    """Return an estimate of the loads and stores of each buffer in an inference.

    Parameters
    ----------
    program : Program
        The steps; loops over tiles do not change how often a row is touched.
    length : int
        Tokens of the input.

    Notes
    -----
    Loops are counted at their greatest extent, and both sides of a condition as taken. A load whose
    value the compiler keeps in a register is counted each time.
    """
    counted: Counter[str] = Counter()
    for step, touched in zip(program.steps, accesses_by_step(program, length), strict=True):
        for argument, count in zip(step.arguments, touched, strict=True):
            if argument.kind == "buffer":
                counted[str(argument.value)] += count
    return dict(counted)


def accesses_by_step(program: Program, length: int) -> list[list[int]]:
    """Return the loads and stores through each argument of each step; see :func:`accesses`."""
    lowered = {name: lower_tir(kernel) for name, kernel in program.kernels.items()}
    return [
        _Counter(lowered[s.kernel], _sizes(s, length), program.intrinsics).touched
        for s in program.steps
    ]


def _sizes(step: Step, length: int) -> Mapping[str, int]:
    """Return the greatest value of each dimension of the step's kernel."""
    sizes = {name: length if isinstance(d, str) else d for name, d in step.dims.items()}
    return {BEFORE: step.window, **sizes}


class _Counter:
    """Walks a lowered kernel; `touched` has the accesses of each of its parameters."""

    def __init__(
        self, kernel: Node, sizes: Mapping[str, int], intrinsics: Mapping[str, Intrinsic]
    ) -> None:
        self._bounds, self._intrinsics = Bounds(sizes), intrinsics
        self._views: dict[Node, Node] = {p: p for p in kernel.params}
        self._counts: Counter[Node] = Counter()
        self._visit(kernel.body, 1)
        self.touched = [self._counts[p] for p in kernel.params]

    def _visit(self, node: Node, times: int) -> None:
        kind = type(node).__name__
        if kind == "DeclBuffer":
            self._views[node.buffer] = self._views[node.data.args[0]]
        if kind == "For":
            times *= max(0, self._bounds.enter(node.loop_var, node.min, node.extent))
            self._visit(node.body, times)
            return
        if kind == "Call" and self._is_intrinsic(node):
            self._count_intrinsic(node, times)
            return
        touched = {"TensorLoad": "source", "BufferStore": "buffer"}.get(kind)
        if touched:
            self._counts[self._views.get(getattr(node, touched))] += times
        for part in _parts(node):
            self._visit(part, times)

    def _is_intrinsic(self, call: Node) -> bool:
        return "extern" in call.op.name and str(call.args[0].value) in self._intrinsics

    def _count_intrinsic(self, call: Node, times: int) -> None:
        """Count what an intrinsic's meaning touches through each of its pointers."""
        function, *arguments = call.args
        intrinsic = self._intrinsics[str(function.value)]
        meaning = _lowered_meaning(intrinsic)
        sizes = zip(intrinsic.dims, arguments[len(meaning.params) :], strict=True)
        greatest = {name: self._bounds.greatest(size) for name, size in sizes}
        touched = _Counter(meaning, greatest, self._intrinsics).touched
        for argument, count in zip(arguments, touched, strict=False):
            if compat.is_address(argument):
                buffer = self._views.get(argument.args[0].source)
                self._counts[buffer] += times * count


@cache
def _lowered_meaning(intrinsic: Intrinsic) -> Node:
    """Lower a meaning once: it is counted at each call, and again for each plan."""
    return lower_tir(intrinsic.meaning)


def _parts(node: Node) -> Iterator[Node]:
    """Return what a statement or expression is made of."""
    for name in _PARTS:
        part = getattr(node, name, None)
        if part is not None:
            yield part
    for name in ("seq", "indices", "args"):
        yield from getattr(node, name, None) or ()
