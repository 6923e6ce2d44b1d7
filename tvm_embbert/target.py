"""What a device is: its core, its memories and how much of them the model may use.

A :class:`Target` is read from a TOML file by :func:`tvm_embbert.target_file.load_target`. The
classes check themselves, so a target made by hand is held to the same rules as one from a file.
All sizes, lengths and addresses are in bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import combinations
from pathlib import Path

from tvm_embbert.errors import TargetError

INSTRUCTION_SETS = ("portable", "armv7e-m-dsp", "armv8.1-m-mve")
"""Instruction sets that kernels are written for; every core has the first."""

TOOLCHAINS = ("host", "arm-none-eabi")
"""Compilers: this machine's own, or GCC for bare Arm."""

COUNTERS = ("cmsdk-timer", "system-counter")
"""Timers of the emulated boards that an image can read."""

ACCESSES = ("rw", "rx")
"""Kinds of memory: RAM that is read and written, flash that is read and executed."""

ADDRESS_SPACE = 2**32
"""Bytes that a 32-bit core can address."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True)
class Region:
    """A range of addresses, ``origin`` to ``origin + length - 1``, in bytes."""

    origin: int
    length: int

    def __post_init__(self) -> None:
        """Raise :class:`TargetError` if the range is empty or leaves 32 bits."""
        _require_at_least("origin", self.origin, 0)
        _require_at_least("length", self.length, 1)
        if self.end > ADDRESS_SPACE:
            raise TargetError(
                f"The region at {self.origin:#x} ends at {self.end:#x}, beyond 32 bits.",
                where="length",
                supported=f"origin + length up to {ADDRESS_SPACE:#x}",
                hint="Check the origin and the length against the board's memory map.",
            )

    @property
    def end(self) -> int:
        """First address behind the region."""
        return self.origin + self.length


@dataclass(frozen=True)
class Emulator:
    """How QEMU runs a core: board, instruction clock, timer and where the image lies.

    ``icount_shift`` n makes one instruction take 2**n ns of virtual time; the counter at address
    ``counter_base`` ticks ``counter_hz`` times in a virtual second.
    """

    program: str
    machine: str
    icount_shift: int
    counter: str
    counter_base: int
    counter_hz: int
    vectors: Region
    code: Region
    data: Region

    def __post_init__(self) -> None:
        """Raise :class:`TargetError` for a value that QEMU or the runtime could not use."""
        _require_text("program", self.program)
        _require_text("machine", self.machine)
        # QEMU takes 0 to 10 only.
        _require_at_least("icount_shift", self.icount_shift, 0)
        _require_at_most("icount_shift", self.icount_shift, 10)
        _require_one_of("counter", self.counter, COUNTERS)
        _require_at_least("counter_base", self.counter_base, 0)
        _require_at_most("counter_base", self.counter_base, ADDRESS_SPACE - 1)
        _require_at_least("counter_hz", self.counter_hz, 1)
        self._require_disjoint()

    def _require_disjoint(self) -> None:
        regions = {"vectors": self.vectors, "code": self.code, "data": self.data}
        for (one, first), (other, second) in combinations(regions.items(), 2):
            if first.origin < second.end and second.origin < first.end:
                raise TargetError(
                    f"The regions {one!r} and {other!r} overlap.",
                    where=other,
                    supported="three regions apart from each other",
                    hint=f"Move or shorten {one} or {other}.",
                )


@dataclass(frozen=True)
class Core:
    """A processor core: instruction sets in order of preference, compiler and its flags.

    ``emulator`` is None where images run on this machine itself.
    """

    name: str
    isa: tuple[str, ...]
    toolchain: str
    flags: tuple[str, ...]
    emulator: Emulator | None

    def __post_init__(self) -> None:
        """Raise :class:`TargetError` for a bad name, instruction set or toolchain."""
        _require_name(self.name)
        for isa in self.isa:
            _require_one_of("isa", isa, INSTRUCTION_SETS)
        self._require_portable_last()
        _require_one_of("toolchain", self.toolchain, TOOLCHAINS)
        if self.toolchain == "host" and self.emulator is not None:
            raise TargetError(
                "A core with the host's toolchain runs natively, not in an emulator.",
                where="emulator",
                supported='no [emulator] table with toolchain = "host"',
                hint='Remove the table, or set toolchain = "arm-none-eabi".',
            )

    def _require_portable_last(self) -> None:
        # Every operator has a portable kernel; were it missing, or not last, some would have none.
        unique = len(set(self.isa)) == len(self.isa)
        if not self.isa or self.isa[-1] != "portable" or not unique:
            raise TargetError(
                f"The instruction sets {list(self.isa)} do not end with 'portable', or repeat one.",
                where="isa",
                supported="each set once, the best first, 'portable' last",
                hint='For example isa = ["armv7e-m-dsp", "portable"].',
            )


@dataclass(frozen=True)
class Memory:
    """One contiguous memory: ``size`` in bytes, ``access`` "rw" (RAM) or "rx" (flash)."""

    name: str
    size: int
    access: str

    def __post_init__(self) -> None:
        """Raise :class:`TargetError` for a bad name, size or access."""
        _require_name(self.name)
        _require_at_least("size", self.size, 1)
        _require_one_of("access", self.access, ACCESSES)


@dataclass(frozen=True)
class Target:
    """A device: core, memories, and the bytes of RAM and flash that the model may use.

    The arena is one block, so ``ram_budget`` is at most the largest "rw" memory, ``flash_budget``
    at most the largest "rx" memory. ``source`` is the file that describes the device.
    """

    name: str
    description: str
    core: Core
    memories: tuple[Memory, ...]
    ram_budget: int
    flash_budget: int
    source: Path

    def __post_init__(self) -> None:
        """Raise :class:`TargetError` for missing or repeated memories or too big a budget."""
        _require_name(self.name)
        _require_text("description", self.description)
        names = [memory.name for memory in self.memories]
        for name in names:
            if names.count(name) > 1:
                raise TargetError(f"Memory {name!r} is described twice.", where=f"memory.{name}")
        _require_budget("ram", self.ram_budget, largest_memory(self.memories, "rw"))
        _require_budget("flash", self.flash_budget, largest_memory(self.memories, "rx"))


def largest_memory(memories: Sequence[Memory], access: str) -> Memory:
    """Return the largest memory of that access; raise :class:`TargetError` if there is none."""
    fitting = [memory for memory in memories if memory.access == access]
    if not fitting:
        kind = "RAM" if access == "rw" else "flash"
        raise TargetError(
            f"The device has no {kind}: no memory has access {access!r}.",
            where="memory",
            supported='at least one memory with access "rw" (RAM) and one with "rx" (flash)',
            hint=f'Add a table such as [memory.{kind.lower()}] with size and access = "{access}".',
        )
    return max(fitting, key=lambda memory: memory.size)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return "Did you mean ...?" with the most similar known word, or "" if none is similar."""
    spellings = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), spellings, n=1)
    return f"Did you mean {spellings[close[0]]!r}?" if close else ""


def _require_budget(kind: str, budget: int, memory: Memory) -> None:
    _require_at_least(f"budget.{kind}", budget, 1)
    if budget > memory.size:
        raise TargetError(
            f"The {kind} budget of {budget} bytes exceeds the largest memory for it, "
            f"{memory.name!r} with {memory.size} bytes.",
            where=f"budget.{kind}",
            supported=f"1 to {memory.size} bytes; the model takes one contiguous block",
            hint=f"Lower budget.{kind}, or leave it out to allow all of {memory.name!r}.",
        )


def _require_at_least(key: str, value: int, least: int) -> None:
    if value < least:
        raise TargetError(
            f"{key} is {value}.", where=key, supported=f"{least} or more", hint=f"Correct {key}."
        )


def _require_at_most(key: str, value: int, most: int) -> None:
    if value > most:
        raise TargetError(
            f"{key} is {value}.", where=key, supported=f"{most} or less", hint=f"Correct {key}."
        )


def _require_one_of(key: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise TargetError(
            f"{key} is {value!r}, which is unknown.",
            where=key,
            supported=", ".join(allowed),
            hint=nearest(value, allowed) or f"Use one of the supported values for {key}.",
        )


def _require_text(key: str, value: str) -> None:
    if not value.strip():
        raise TargetError(f"{key} is empty.", where=key, supported="a text", hint=f"Fill in {key}.")


def _require_name(name: str) -> None:
    # Names become file names and C identifiers.
    if not _NAME.fullmatch(name):
        raise TargetError(
            f"{name!r} is no valid name.",
            where="name",
            supported="lower-case letters, digits, '.', '_' and '-', a letter or digit first",
            hint="Rename it.",
        )
