"""The lowered program: what is fused, planned, verified and printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.operator import ITEM_SIZES, Dim, Tensor
from tvm_embbert.strategy.registry import Choice

Array = NDArray[Any]


class Access(StrEnum):
    """Which rows of an argument a kernel touches when it computes some rows of its result."""

    ROWS = "rows"
    """The same rows."""
    WINDOW = "window"
    """The same rows, and some in front of them."""
    WHOLE = "whole"
    """Any."""


@dataclass(frozen=True)
class Argument:
    """An argument of a kernel call.

    Attributes
    ----------
    kind : str
        ``buffer``, ``constant`` or ``scalar``.
    value : str or int
        Name of the buffer or constant; the number.
    access : Access
        Rows that the kernel touches.
    row_elements : int
        Elements of a row, where the access is by rows.
    """

    kind: str
    value: str | int
    access: Access = Access.WHOLE
    row_elements: int = 1


@dataclass(frozen=True, eq=False)
class Step:
    """One call of a kernel.

    Attributes
    ----------
    dims : mapping
        Values of the kernel's symbolic dimensions.
    takes : str
        Input whose memory the result may take, or the empty string.
    tileable : bool
        Whether the kernel may be called for a few rows at a time.
    window : int
        Rows that the kernel reads in front of its first, at most.
    row_block : int
        Rows that the kernel computes together.
    masters : tuple of str
        Bus masters that touch the step's buffers.
    """

    name: str
    operator: str
    kernel: str
    choice: Choice
    arguments: tuple[Argument, ...]
    dims: Mapping[str, Dim]
    reads: tuple[str, ...]
    writes: str
    scratch: tuple[str, ...]
    takes: str = ""
    tileable: bool = False
    window: int = 0
    row_block: int = 1
    masters: tuple[str, ...] = ("cpu",)

    @property
    def buffers(self) -> tuple[str, ...]:
        """Return all buffers that the step touches."""
        return (*self.reads, self.writes, *self.scratch)

    def accesses(self, name: str) -> list[Access]:
        """Return how the kernel touches a buffer, once an argument."""
        return [a.access for a in self.arguments if (a.kind, a.value) == ("buffer", name)]


@dataclass(frozen=True)
class Loop:
    """Steps `first` to `last` run one after the other for `rows` rows, then for the next rows."""

    first: int
    last: int
    rows: int

    @property
    def steps(self) -> range:
        """Return the indices of the steps."""
        return range(self.first, self.last + 1)


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
    loops : tuple of Loop
        Steps that run tile by tile; the others run once for all rows.
    local : dict
        Buffers that hold the rows of one tile of a loop, and how many rows of the tiles before
        they keep in front of these.
    calls : dict
        Intrinsics that each kernel calls, by the kernel's name.
    levels : dict
        Optimisation level that the C compiler is asked for, by the kernel's name.
    """

    source: IntegerModule
    steps: list[Step]
    buffers: dict[str, Tensor]
    constants: dict[str, Array]
    kernels: dict[str, Any] = field(default_factory=dict)
    overlapping: set[str] = field(default_factory=set)
    in_place: dict[str, str] = field(default_factory=dict)
    loops: tuple[Loop, ...] = ()
    local: Mapping[str, int] = field(default_factory=dict)
    calls: dict[str, tuple[Intrinsic, ...]] = field(default_factory=dict)
    levels: dict[str, str] = field(default_factory=dict)

    @property
    def intrinsics(self) -> dict[str, Intrinsic]:
        """Return what the kernels call, by name."""
        return {i.name: i for called in self.calls.values() for i in called}

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

    def loop_of(self, index: int) -> Loop | None:
        """Return the loop that a step runs in, or None."""
        return next((loop for loop in self.loops if index in loop.steps), None)

    @property
    def weight_bytes(self) -> int:
        """Return the bytes of all constants."""
        return sum(np.asarray(v).nbytes for v in self.constants.values())
