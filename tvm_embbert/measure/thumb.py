"""What single Thumb instructions, in objdump's words, do to the stack pointer and the way on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_CONDITION = r"(?:eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)?"
_JUMP = re.compile(rf"bl?{_CONDITION}|cbn?z")
_CALL = re.compile(rf"bl{_CONDITION}")
_REGISTER_CALL = re.compile(rf"blx(?:ns)?{_CONDITION}")
_REGISTER_JUMP = re.compile(rf"bx(?:ns)?{_CONDITION}")
_TARGET = re.compile(r"(?:^|\s)([0-9a-f]+) <")
_RANGE = re.compile(r"([rsdq])(\d+)(?:-[rsdq](\d+))?")
_MOVED = re.compile(r"sp, (?:sp, )?#(\d+)")
_STORED = re.compile(r"\[sp, #-(\d+)\]!")
_BYTES = {"r": 4, "s": 4, "d": 8, "q": 16}
_BY_CONSTANT = ("add", "addw", "sub", "subw")
_ONLY_READ = ("cmp", "cmn", "tst", "teq")


@dataclass(frozen=True)
class ThumbInstruction:
    """A Thumb instruction: mnemonic without width, operands, and the text of both."""

    name: str
    operands: str

    @classmethod
    def parse(cls, mnemonic: str, operands: str, before: Sequence[str] = ()) -> ThumbInstruction:
        """Return the instruction that objdump printed, without its comment.

        What stands before it, ``before``, matters to none.
        """
        plain = mnemonic.removesuffix(".n").removesuffix(".w")
        return cls(plain, re.split("[@;]", operands)[0].strip())

    def __str__(self) -> str:
        return f"{self.name} {self.operands}".strip()

    @property
    def is_data(self) -> bool:
        """Whether these bytes are never run: constants, and padding between functions."""
        return self.name.startswith(".") or self.name in ("nop", "udf")

    @property
    def pushed(self) -> int:
        """Bytes by which the stack pointer goes down, 0 for none."""
        if self.name in ("push", "vpush") or (
            self.name in ("stmdb", "stmfd", "vstmdb") and self.operands.startswith("sp!")
        ):
            return sum(map(_register_bytes, self.operands.partition("{")[2].split(",")))
        if self.name in ("sub", "subw") and (moved := _MOVED.fullmatch(self.operands)):
            return int(moved[1])
        stored = _STORED.search(self.operands)
        return int(stored[1]) if stored else 0

    @property
    def moves_stack_freely(self) -> bool:
        """Whether the stack pointer changes by an amount that is not in the instruction."""
        if self.name == "msr":
            return self.operands.lower().startswith(("msp,", "psp,"))
        by_constant = self.name in _BY_CONSTANT and _MOVED.fullmatch(self.operands)
        known = by_constant or self.name in _ONLY_READ
        return self.operands.startswith("sp,") and not known

    @property
    def target(self) -> int | None:
        """Address that a call or branch names, or None for any other instruction."""
        found = _TARGET.search(self.operands)
        return int(found[1], 16) if found and _JUMP.fullmatch(self.name) else None

    @property
    def is_call(self) -> bool:
        """Whether it is a call (it comes back) of a named address."""
        return bool(_CALL.fullmatch(self.name)) and self.target is not None

    @property
    def is_indirect(self) -> bool:
        """Whether it goes to an address from a register or memory, other than by returning."""
        if _REGISTER_CALL.fullmatch(self.name):
            return True
        if _REGISTER_JUMP.fullmatch(self.name):
            return self.operands != "lr"
        writes_pc = self.operands.startswith("pc,")
        return writes_pc and "[sp]" not in self.operands and self.operands != "pc, lr"

    @property
    def ends(self) -> bool:
        """Whether what stands behind it is not run after it."""
        returns = self.name in ("pop", "ldmia", "ldmfd") and "pc}" in self.operands
        always = self.name in ("b", "bx", "tbb", "tbh")
        return returns or always or self.operands.startswith("pc,")


def _register_bytes(text: str) -> int:
    found = _RANGE.match(text.strip("{} "))
    if not found:  # one with a name, as lr or fp
        return 4
    first, last = int(found[2]), int(found[3] or found[2])
    return (last - first + 1) * _BYTES[found[1]]
