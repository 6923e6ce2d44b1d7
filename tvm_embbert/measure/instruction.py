"""What the search for frames and calls asks of an instruction, whatever its architecture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol


class Instruction(Protocol):
    """A machine instruction as objdump printed it; its text is that of the whole."""

    @property
    def is_data(self) -> bool:
        """Whether these bytes are never run: constants, and padding between functions."""

    @property
    def pushed(self) -> int:
        """Bytes by which the stack pointer goes down, 0 for none."""

    @property
    def moves_stack_freely(self) -> bool:
        """Whether the stack pointer changes by an amount that is not in the instruction."""

    @property
    def target(self) -> int | None:
        """Address that a call or branch names, or None for any other instruction."""

    @property
    def is_call(self) -> bool:
        """Whether it is a call (it comes back) of a named address."""

    @property
    def is_indirect(self) -> bool:
        """Whether it goes to an address from a register or memory, other than by returning."""

    @property
    def ends(self) -> bool:
        """Whether what stands behind it is not run after it."""


SHOWN_BEFORE = 4
"""Instructions in front of one that may tell where it goes."""

Parse = Callable[[str, str, Sequence[str]], Instruction]
"""Makes an instruction of objdump's mnemonic and operands, and of the texts of those before it.

Those are at most :data:`SHOWN_BEFORE`, of the same function, the last one nearest to it.
"""
