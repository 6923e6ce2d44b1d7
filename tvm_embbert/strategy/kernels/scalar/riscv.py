"""What loops in assembly for RV32IM have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tvm_embbert.strategy.kernels.scalar.sums import Walk

REGISTERS = (
    *(f"t{n}" for n in range(7)),
    *(f"a{n}" for n in range(2, 8)),
    *(f"s{n}" for n in range(1, 12)),
    "ra",
)
"""All but those of the frame, and two for the pointers: more than operands can name."""

LOOP = """\
  __asm__ volatile(@BEGIN@
        "j 2f\\n"
        "1:\\n\\t"@TURN@
        "2:\\n\\t"
        "lw %[t], %[turns]\\n\\t"
        "bne %[x], %[t], 1b\\n\\t"
        "j 4f\\n"
        "3:\\n\\t"@STEP@
        "4:\\n\\t"
        "lw %[t], %[end]\\n\\t"
        "bne %[x], %[t], 3b\\n\\t"
        "lw %[t], %[found]\\n\\t"@END@
        : [x] "+r"(x), [w] "+r"(w)
        : [turns] "m"(turns), [end] "m"(end), [found] "m"(found)
        : @CLOBBERED@, "memory");
"""
"""Turns of several steps, then single ones, by pointers to the words; ``found`` takes the sums."""


def advance(walk: Walk, steps: int) -> str:
    """Return the instructions that move both pointers on."""
    words = line(f"add %[x], %[x], {4 * steps * walk.word}")
    return words + line(f"add %[w], %[w], {steps * walk.step}")


def line(instruction: str) -> str:
    """Return an instruction as a line of an asm statement."""
    return f'\n        "{instruction}\\n\\t"'
