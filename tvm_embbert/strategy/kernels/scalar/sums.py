"""The innermost loop: words of rows times bytes, summed for each row and output of a block."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tvm_embbert.strategy.kernels.scalar.form import (
    ARM,
    BURST,
    LONG,
    RISCV,
    RISCV_SPLIT,
    RISCV_TRIPLE,
    SPLIT,
    TRIPLE,
    Block,
    filled,
    held,
)
from tvm_embbert.strategy.kernels.scalar.long_sums import long_sums
from tvm_embbert.strategy.kernels.scalar.riscv_sums import riscv_sums
from tvm_embbert.strategy.kernels.scalar.riscv_triple_sums import riscv_triple_sums
from tvm_embbert.strategy.kernels.scalar.split_sums import split_sums
from tvm_embbert.strategy.kernels.scalar.triple_sums import triple_sums


@dataclass(frozen=True)
class Walk:
    """Where the operands lie: elements from one step of the sum, pair or output to the next.

    Attributes
    ----------
    step, output : int
        Of the bytes.
    word, pair : int
        Of the words.
    placed : bool
        Whether a word behind those of a step says how far its bytes lie from the first.
    """

    step: int
    output: int
    word: int
    pair: int = 1
    placed: bool = False


GUARDS = {
    LONG: "__thumb2__",
    BURST: "__thumb2__",
    RISCV_SPLIT: "__riscv_mul",
    RISCV_TRIPLE: "__riscv_mul",
}
"""Macros of the compilers that take the loops, by the way to multiply."""


def guard_of(*blocks: Block) -> str:
    """Return the guard of an intrinsic with loops over these blocks."""
    return next((GUARDS[b.multiply] for b in blocks if b.multiply in GUARDS), "")


def fills(block: Block) -> bool:
    """Return whether a loop in assembly takes all the registers, which GCC alone gives it."""
    isa = {LONG: ARM, RISCV_SPLIT: RISCV, RISCV_TRIPLE: RISCV}.get(block.multiply, "")
    return bool(isa) and block.outputs == held(isa, block.multiply, block.rows)


def sums(name: str, block: Block, walk: Walk) -> str:
    """Return a C function that stores ``sums`` (outputs, rows) of ``steps`` words and bytes.

    Its parameters are words, bytes, steps and sums.
    """
    makers = {
        LONG: long_sums,
        SPLIT: split_sums,
        RISCV_SPLIT: riscv_sums,
        TRIPLE: triple_sums,
        RISCV_TRIPLE: riscv_triple_sums,
    }
    return makers[block.multiply](name, block, walk)


def sums_and_rest(name: str, block: Block, walk: Walk) -> str:
    """Return :func:`sums`, and as ``<name>_one`` the same for a single output."""
    if block.outputs == 1:
        return sums(name, block, walk) + filled(_SAME, {"NAME": name})
    return sums(name, block, walk) + sums(f"{name}_one", replace(block, outputs=1), walk)


_SAME = "#define @NAME@_one @NAME@\n"
