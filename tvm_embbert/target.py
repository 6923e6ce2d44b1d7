"""What a device is: its core, its memories and how much of them the model may use.

A :class:`Target` is read from a TOML file by :func:`tvm_embbert.target_file.load_target`. The
classes check themselves, so a target made by hand is held to the same rules as one from a file.
All sizes, lengths and addresses are in bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tvm_embbert.errors import TargetError
from tvm_embbert.target_checks import (
    require_at_least,
    require_name,
    require_one_of,
    require_text,
)
from tvm_embbert.target_emulator import Emulator, Region
from tvm_embbert.target_memory import (
    Memory,
    Pool,
    arena_pools,
    largest_memory,
    named_memory,
    writable,
)
from tvm_embbert.target_serial import Serial

__all__ = ["Core", "Emulator", "Memory", "Pool", "Region", "Serial", "Target"]

INSTRUCTION_SETS = (
    "portable",
    "armv7-m",
    "armv7e-m-dsp",
    "armv8.1-m-mve",
    "rv32im",
    "rv32-zve32x",
)
"""Instruction sets that kernels are written for; every core has the first."""

TOOLCHAINS = ("host", "arm-none-eabi", "riscv64-unknown-elf")
"""Compilers: this machine's own, or GCC for bare Arm or RISC-V."""


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
        require_name(self.name)
        for isa in self.isa:
            require_one_of("isa", isa, INSTRUCTION_SETS)
        self._require_portable_last()
        require_one_of("toolchain", self.toolchain, TOOLCHAINS)
        if self.toolchain == "host" and self.emulator is not None:
            raise TargetError(
                "A core with the host's toolchain runs natively, not in an emulator.",
                where="emulator",
                supported='no [emulator] table with toolchain = "host"',
                hint="Remove the table, or choose another toolchain.",
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
class Target:
    """A device: core, memories, and the bytes of RAM and flash that the model may use.

    ``arena`` names the "rw" memories that the arena may be split over, one block in each, the
    fastest first; without any it is one block. ``system_memory`` holds stack and static data: the
    last of those memories where it is not given. ``weights_memory`` holds the weights at run time:
    the largest "rx" memory where it is not given. ``ram_budget`` is at most the sum of the arena's
    memories, ``flash_budget`` at most the largest "rx" memory. ``source`` is the file that
    describes the device. ``serial`` says how a board of it answers on a serial line, or is None.
    """

    name: str
    description: str
    core: Core
    memories: tuple[Memory, ...]
    ram_budget: int
    flash_budget: int
    source: Path
    arena: tuple[str, ...] = ()
    system_memory: str = ""
    weights_memory: str = ""
    serial: Serial | None = None

    def __post_init__(self) -> None:
        """Raise :class:`TargetError` for missing or repeated memories or too big a budget."""
        require_name(self.name)
        require_text("description", self.description)
        names = [memory.name for memory in self.memories]
        for name in names:
            if names.count(name) > 1:
                raise TargetError(f"Memory {name!r} is described twice.", where=f"memory.{name}")
        flash = largest_memory(self.memories, "rx")
        self._fill("system_memory", self.pools[-1].memory)
        self._fill("weights_memory", flash.name)
        writable(self.memories, self.system_memory, "arena.system")
        named_memory(self.memories, self.weights_memory, "weights.memory")
        _require_ram(self.ram_budget, self.pools, largest_memory(self.memories, "rw"))
        _require_budget("flash", self.flash_budget, flash, "largest memory")

    def _fill(self, field: str, value: str) -> None:
        """Set a name that was left out; the class is frozen only for those who use it."""
        if not getattr(self, field):
            object.__setattr__(self, field, value)

    @property
    def pools(self) -> tuple[Pool, ...]:
        """Return the memories that the arena may be split over, the fastest first."""
        return arena_pools(self.memories, self.arena, self.system_memory)

    @property
    def weights_copied(self) -> bool:
        """Return whether the weights are copied to RAM at start-up; else they stay in flash."""
        return named_memory(self.memories, self.weights_memory, "weights.memory").access == "rw"

    @property
    def ram_in_all(self) -> int:
        """Return the bytes of RAM for all that a model has there.

        That is ``ram_budget``, and the memory that weights are copied to where the arena has no
        part of it.
        """
        apart = self.weights_copied and self.weights_memory not in {p.memory for p in self.pools}
        weights = named_memory(self.memories, self.weights_memory, "weights.memory")
        return self.ram_budget + (weights.size if apart else 0)

    def fixed_bytes(self, system_bytes: int, weights_bytes: int = 0) -> dict[str, int]:
        """Return the bytes of RAM that are taken beside the arena, by memory.

        Parameters
        ----------
        system_bytes : int
            Stack and static data, which lie in the system memory.
        weights_bytes : int
            Weights that are copied to RAM.
        """
        fixed = {self.system_memory: system_bytes}
        if weights_bytes:
            fixed[self.weights_memory] = fixed.get(self.weights_memory, 0) + weights_bytes
        return fixed

    def has_room(self, system_bytes: int, weights_bytes: int = 0) -> bool:
        """Return whether stack, static data and copied weights fit in their memories alone."""
        sizes = {memory.name: memory.size for memory in self.memories}
        fixed = self.fixed_bytes(system_bytes, weights_bytes)
        return all(taken <= sizes[name] for name, taken in fixed.items())

    def pool_budget(self, pool: Pool, system_bytes: int, weights_bytes: int = 0) -> int:
        """Return the bytes of a pool that what else lies in its memory leaves free.

        ``ram_budget`` is not looked at; see :meth:`fixed_bytes`.
        """
        taken = self.fixed_bytes(system_bytes, weights_bytes).get(pool.memory, 0)
        return max(0, pool.size - taken)

    def arena_limits(self, system_bytes: int, weights_bytes: int = 0) -> dict[str, int]:
        """Return the bytes that the arena may take of each pool, by the pool's name.

        Together, and with what else lies in the pools' memories (:meth:`fixed_bytes`), they are at
        most ``ram_budget``: what is beyond it is taken from the last pool, the slowest, then from
        those before it.
        """
        fixed = self.fixed_bytes(system_bytes, weights_bytes)
        shared = {pool.memory for pool in self.pools}
        left = max(0, self.ram_budget - sum(b for name, b in fixed.items() if name in shared))
        limits: dict[str, int] = {}
        for pool in self.pools:
            limits[pool.name] = min(self.pool_budget(pool, system_bytes, weights_bytes), left)
            left -= limits[pool.name]
        return limits


def _require_ram(budget: int, pools: Sequence[Pool], largest: Memory) -> None:
    if len(pools) == 1:
        holder = Memory(pools[0].memory, pools[0].size, "rw")
        kind = "largest memory" if holder.size == largest.size else "arena's memory"
        _require_budget("ram", budget, holder, kind)
        return
    require_at_least("budget.ram", budget, 1)
    size, names = sum(pool.size for pool in pools), " and ".join(repr(p.memory) for p in pools)
    if budget > size:
        raise TargetError(
            f"The ram budget of {budget} bytes exceeds the {size} bytes of {names}, the memories "
            "of the arena.",
            where="budget.ram",
            supported=f"1 to {size} bytes; the arena takes one contiguous block in each",
            hint=f"Lower budget.ram, or leave it out to allow all of {names}.",
        )


def _require_budget(kind: str, budget: int, memory: Memory, place: str) -> None:
    require_at_least(f"budget.{kind}", budget, 1)
    if budget > memory.size:
        raise TargetError(
            f"The {kind} budget of {budget} bytes exceeds the {place} for it, "
            f"{memory.name!r} with {memory.size} bytes.",
            where=f"budget.{kind}",
            supported=f"1 to {memory.size} bytes; the model takes one contiguous block",
            hint=f"Lower budget.{kind}, or leave it out to allow all of {memory.name!r}.",
        )
