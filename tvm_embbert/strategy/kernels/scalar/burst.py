"""Bursts: long sums whose words come several at a time, by LDM, which also advances the pointer.

A key or output at a time, so that few sums are held and the other registers take words: beside the
multiplications an instruction for a byte and a part of one for the words. See :mod:`.long_sums` for
the sums themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

REGISTERS = (*(f"r{n}" for n in range(13)), "lr")
"""All but the stack pointer and the program counter, as LDM orders them."""
BITS = 23
"""Where the second row of a word begins, as in all long sums."""


def lines(instructions: Iterable[str]) -> str:
    """Return instructions as strings of an ``__asm__`` statement."""
    return "".join(f'\n      "{i}\\n\\t"' for i in instructions)


def clobbered(taken: Iterable[str] = ()) -> str:
    """Return the clobbers of a statement that takes all registers; `taken` are its operands."""
    free = [r for r in REGISTERS if r not in set(taken)]
    return ", ".join(f'"{r}"' for r in (*free, "cc", "memory"))


def listed(registers: Sequence[str]) -> str:
    """Return a register list of LDM or STM."""
    return "{" + ", ".join(registers) + "}"


def cleared(sums: Sequence[str]) -> list[str]:
    """Return the instructions that begin sums: lower and upper halves in turn."""
    return [f"mov {s}, #0" for s in sums]


def multiplied(sums: Sequence[str], words: Sequence[str], byte: str) -> list[str]:
    """Return the instructions that add words times a byte to their sums."""
    return [
        f"smlal {sums[2 * p]}, {sums[2 * p + 1]}, {word}, {byte}" for p, word in enumerate(words)
    ]


def parted(sums: Sequence[str], spare: str) -> list[str]:
    """Return the instructions that leave the rows' own sums in the registers, in order.

    The carry of the shift is the sign of the lower row, which the upper one lacks.
    """
    found = []
    for low, high in zip(sums[::2], sums[1::2], strict=True):
        found += [
            f"lsrs {spare}, {low}, #{BITS}",
            f"adc {high}, {spare}, {high}, lsl #{32 - BITS}",
            f"sbfx {low}, {low}, #0, #{BITS}",
        ]
    return found
