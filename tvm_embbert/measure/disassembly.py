"""Frames and calls of machine code, from objdump's text: for what comes without other figures.

The C library and the compiler's own one are not compiled here, so the instructions are all that
tells how much stack they take. The frame of a function is the sum of all that it ever pushes: an
upper bound, whatever way it takes.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tvm_embbert.measure.cross import CrossToolchain
from tvm_embbert.measure.instruction import SHOWN_BEFORE, Instruction, Parse
from tvm_embbert.measure.toolchain import find_program, run

_LABEL = re.compile(r"([0-9a-f]+) <([^>]+)>:")
_LINE = re.compile(r"\s*([0-9a-f]+):\s+(\S+)(?:\s+(.*))?")


@dataclass
class Routine:
    """A function in an image: where it is, the most bytes that it pushes, and where it may go.

    ``calls`` are addresses of functions; ``next`` is the one behind, if it runs on into that.
    ``dynamic`` and ``indirect`` are instructions, if any, that move the stack pointer by an unknown
    amount, or go to an unknown address.
    """

    name: str
    address: int
    frame: int = 0
    instructions: int = 0
    calls: set[int] = field(default_factory=set)
    next: int | None = None
    dynamic: Instruction | None = None
    indirect: Instruction | None = None


def disassemble(elf: Path, cross: CrossToolchain) -> list[Routine]:
    """Return the functions of an image in the order of their addresses.

    Raises
    ------
    ToolchainError
        If objdump is missing or fails.
    """
    return parse_disassembly(listing(elf, cross), cross.parse)


def listing(elf: Path, cross: CrossToolchain, flags: Sequence[str] = ()) -> str:
    """Return what objdump prints of an image's code; `flags` are further ones of objdump.

    Raises
    ------
    ToolchainError
        If objdump is missing or fails.
    """
    program = find_program(f"{cross.name}-objdump", cross.binutils)
    command = [program, "-d", "--no-show-raw-insn", *flags, elf.name]
    return run(command, elf.parent, "disassemble the image")


def instructions_in(text: str, parse: Parse) -> Iterator[tuple[str, int, Instruction]]:
    """Yield label, address and instruction of each line that objdump printed of code."""
    label, before = "", deque[str](maxlen=SHOWN_BEFORE)
    for line in text.splitlines():
        if match := _LINE.match(line):
            instruction = parse(match[2], match[3] or "", before)
            yield label, int(match[1], 16), instruction
            before.append(str(instruction))
        elif match := _LABEL.match(line):
            label = match[2]
            before.clear()


def parse_disassembly(text: str, parse: Parse) -> list[Routine]:
    """Return the functions in the text that ``objdump -d --no-show-raw-insn`` printed."""
    labels = (_LABEL.match(line) for line in text.splitlines())
    code = _Code([(int(m[1], 16), m[2]) for m in labels if m])
    for _, address, instruction in instructions_in(text, parse):
        code.add(address, instruction)
    return code.routines()


class _Code:
    """The routines of an image, found by any address within them."""

    def __init__(self, labels: list[tuple[int, str]]) -> None:
        labels = sorted(labels)
        self._starts = [address for address, _ in labels]
        self._parts = [Routine(name, address) for address, name in labels]
        self._ends = [True] * len(labels)
        named = {routine.name: routine for routine in self._parts}
        for index, routine in enumerate(self._parts):
            # A function's rarely run part lies elsewhere, under a name of its own.
            if routine.name.endswith(".cold"):
                self._parts[index] = named.get(routine.name.removesuffix(".cold"), routine)

    def add(self, address: int, instruction: Instruction) -> None:
        """Take in one instruction."""
        index = self._index(address)
        here = self._parts[index]
        if instruction.is_data:
            return
        here.instructions += 1
        here.frame += instruction.pushed
        if instruction.moves_stack_freely:
            here.dynamic = instruction
        if instruction.is_indirect:
            here.indirect = instruction
        self._ends[index] = instruction.ends
        if instruction.target is not None:
            self._jump(here, instruction, instruction.target)

    def _jump(self, here: Routine, instruction: Instruction, target: int) -> None:
        there = self._parts[self._index(target)]
        # Within the function, a branch is a loop, and a call of a place other than the start is one
        # of a part without a name, whose pushes are in the sum. A call of the start is a recursion.
        if there is not here or (instruction.is_call and target == here.address):
            here.calls.add(there.address)

    def routines(self) -> list[Routine]:
        """Return all routines, with what lies behind those that run on."""
        for index, following in enumerate(self._parts[1:]):
            here = self._parts[index]
            if not self._ends[index] and following is not here:
                here.next = following.address
        return list({routine.address: routine for routine in self._parts}.values())

    def _index(self, address: int) -> int:
        return max(0, bisect_right(self._starts, address) - 1)
