"""A thin layer over TVM's TIR builder: kernels written as plain Python that emits loops.

Kernels with a varying number of inputs, optional masks and baked-in tiles need Python's control
flow around TIR's; TVMScript's parser would take that control flow for TIR.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

Expr = Any
Buffer = Any


class Tir:
    """The PrimFunc under construction; get it from :func:`prim_func`."""

    def __init__(self) -> None:
        self.prim_func: Any = None

    def dim(self, name: str) -> Expr:
        """Declare a symbolic number of elements, bound by name where the kernel is called."""
        return _named(name, T.int32())

    def scalar(self, name: str, dtype: str = "int32") -> Expr:
        """Declare a scalar parameter."""
        return T.arg(name, getattr(T, dtype)())

    def tensor(self, name: str, shape: Sequence[Expr], dtype: str) -> Buffer:
        """Declare a tensor parameter."""
        return T.arg(name, T.buffer(tuple(shape), dtype))

    def local(self, name: str, dtype: str, size: int = 1) -> Buffer:
        """Declare variables that live in registers: one, or a tile of them."""
        return _named(name, T.sblock_alloc_buffer((size,), dtype, scope="local"))

    def store(self, buffer: Buffer, index: Expr | Sequence[Expr], value: Expr) -> None:
        """Write an element."""
        indices = list(index) if isinstance(index, Sequence) else [index]
        T.buffer_store(buffer, value, indices)

    def accumulate(self, buffer: Buffer, index: Expr, value: Expr) -> None:
        """Add to an element of a local."""
        self.store(buffer, index, buffer[index] + value)

    @contextmanager
    def loop(self, name: str, stop: Expr, start: Expr = 0) -> Iterator[Expr]:
        """Loop over `start` to ``stop - 1``."""
        with T.serial(start, stop) as variable:
            yield _named(name, variable)

    @contextmanager
    def unrolled(self, size: int) -> Iterator[Expr]:
        """Loop over 0 to ``size - 1`` that is unrolled."""
        with T.unroll(0, size) as variable:
            yield _named("u", variable)

    @contextmanager
    def when(self, condition: Expr) -> Iterator[None]:
        """Emit statements under a condition."""
        with T.If(condition), T.Then():
            yield


def _named(name: str, thing: Any) -> Any:
    IRBuilder.name(name, thing)
    return thing


@contextmanager
def prim_func(name: str) -> Iterator[Tir]:
    """Build a PrimFunc; afterwards it is the attribute ``prim_func`` of what this yields."""
    made = Tir()
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name(name)
        yield made
    made.prim_func = builder.get()
