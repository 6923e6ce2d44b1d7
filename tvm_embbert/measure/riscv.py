"""What single RISC-V instructions, in objdump's words, do to the stack pointer and the way on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_BRANCH = re.compile(r"b(?:eq|ne|lt|ge|gt|le)u?z?")
_TARGET = re.compile(r"(?:^|[\s,])([0-9a-f]+) <")
_MOVED = re.compile(r"sp,(?:sp,)?(-?\d+)")
_BY_CONSTANT = ("add", "addi", "addi16sp")
_ONLY_READ = re.compile(r"f?s[bhwd]|b(?:eq|ne|lt|ge|gt|le)u?")
_SUM = re.compile(r"add [a-z]+\d*,[a-z]+\d*,[a-z]+\d*")
_BASE = re.compile(r"(?:ra,|zero,)?(?:-?\d+\()?([a-z]+\d*)\)?")


@dataclass(frozen=True)
class RiscvInstruction:
    """A RISC-V instruction: mnemonic, operands (with objdump's comment), and those before it."""

    name: str
    operands: str
    before: tuple[str, ...] = ()

    @classmethod
    def parse(cls, mnemonic: str, operands: str, before: Sequence[str] = ()) -> RiscvInstruction:
        """Return the instruction that objdump printed behind the texts ``before``."""
        return cls(mnemonic.removeprefix("c."), operands.strip(), tuple(before))

    def __str__(self) -> str:
        return f"{self.name} {self.operands}".strip()

    @property
    def is_data(self) -> bool:
        """Whether these bytes are never run: constants, and padding between functions."""
        return self.name.startswith(".") or self.name in ("nop", "unimp")

    @property
    def pushed(self) -> int:
        """Bytes by which the stack pointer goes down, 0 for none."""
        moved = self._moved
        return max(0, -moved) if moved is not None else 0

    @property
    def moves_stack_freely(self) -> bool:
        """Whether the stack pointer changes by an amount that is not in the instruction."""
        writes = self.operands.startswith("sp,") and not _ONLY_READ.fullmatch(self.name)
        return writes and self._moved is None

    @property
    def target(self) -> int | None:
        """Address that a call or branch names, or None for any other instruction."""
        if self._through_register and not self._by_pair:
            return None
        jump = self.name in ("j", "jal", "jr", "jalr") or _BRANCH.fullmatch(self.name)
        found = _TARGET.search(self.operands) if jump else None
        return int(found[1], 16) if found else None

    @property
    def is_call(self) -> bool:
        """Whether it is a call (it comes back) of a named address."""
        return self.name in ("jal", "jalr") and self._links and self.target is not None

    @property
    def is_indirect(self) -> bool:
        """Whether it goes to an address from a register or memory, other than by returning.

        Not so the jump into a table within the function: there, a distance is added to the table's
        place just before.
        """
        return self._through_register and self.target is None and not self._by_sum

    @property
    def ends(self) -> bool:
        """Whether what stands behind it is not run after it."""
        always = self.name in ("j", "jr", "ret", "mret")
        return always or (self.name in ("jal", "jalr") and not self._links)

    @property
    def _moved(self) -> int | None:
        found = _MOVED.fullmatch(self.operands) if self.name in _BY_CONSTANT else None
        return int(found[1]) if found else None

    @property
    def _links(self) -> bool:
        return not self.operands.startswith("zero,")

    @property
    def _through_register(self) -> bool:
        return self.name in ("jr", "jalr")

    @property
    def _base(self) -> str:
        found = _BASE.match(self.operands)
        return found[1] if found else ""

    @property
    def _base_from(self) -> str:
        """The text of the instruction in front that gave the jump's register its value."""
        writes = re.compile(rf"\S+ {self._base},")
        return next((text for text in reversed(self.before) if writes.match(text)), "")

    @property
    def _by_pair(self) -> bool:
        # The upper part of the address, then the jump with the lower one: a far call.
        return self._base_from.startswith(("auipc ", "lui "))

    @property
    def _by_sum(self) -> bool:
        return bool(_SUM.fullmatch(self._base_from))
