"""Tensor intrinsics: what an instruction set does well, in C, beside the TIR that is its meaning.

A kernel's TIR calls an intrinsic by name with addresses and numbers. The C comes from people who
know the instruction set; the meaning is what it has to compute, so that a test can compare the two
on the emulator.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tvm.script.ir_builder import tirx as T

from tvm_embbert import compat


@dataclass(frozen=True, eq=False)
class Intrinsic:
    """A C function of an instruction set, and what it computes.

    Attributes
    ----------
    name : str
        Of the C function: ``te_<instruction set>_<what>``.
    c : str
        Its definition, ``static``, C99 with inline assembly or the compiler's intrinsics.
    meaning : PrimFunc
        TIR with the same parameters in the same order. Its buffers are what the pointers reach.
    dims : tuple of str
        Names of the meaning's symbolic dimensions: int32 parameters of the C behind the others.
    headers : tuple of str
        Headers that the C needs, such as ``arm_mve.h``.
    guard : str
        Macro that compilers define where they take the C. Elsewhere, as on the machine that
        compiles the model, the meaning runs.
    gcc : bool
        Whether GCC alone is to take the C: assembly of all registers or nearly, for which Clang,
        assigning them in another order, finds too few. Elsewhere the meaning runs.
    """

    name: str
    c: str
    meaning: Any
    dims: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    guard: str = ""
    gcc: bool = False

    @cached_property
    def writes(self) -> frozenset[int]:
        """Return the positions of the parameters through which it writes."""
        written = compat.stored_buffers(self.meaning)
        return frozenset(i for i, p in enumerate(self.meaning.params) if p in written)

    def __call__(self, *arguments: Any) -> None:
        """Emit a call into the kernel under construction; see :func:`address`."""
        T.evaluate(T.call_extern("void", self.name, *arguments))


def address(element: Any) -> Any:
    """Return the address of an element of a tensor or scratch, as ``address(x[i, 0])``.

    Locals have no address: TIR shrinks them to the elements that it sees in use.
    """
    return T.address_of(element)
