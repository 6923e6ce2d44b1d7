"""How an emulator runs a core: its board, its counter of instructions, the image's addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from tvm_embbert.errors import TargetError
from tvm_embbert.target_checks import (
    require_at_least,
    require_at_most,
    require_one_of,
    require_text,
)

COUNTERS = ("cmsdk-timer", "system-counter", "minstret")
"""Timers of the emulated boards, and counters of their cores, that an image can read."""

INSTRUCTION_HZ = 1_000_000_000
"""Instructions in a virtual second where each takes a nanosecond."""

ADDRESS_SPACE = 2**32
"""Bytes that a 32-bit core can address."""


@dataclass(frozen=True)
class Region:
    """A range of addresses, ``origin`` to ``origin + length - 1``, in bytes."""

    origin: int
    length: int

    def __post_init__(self) -> None:
        """Raise :class:`TargetError` if the range is empty or leaves 32 bits."""
        require_at_least("origin", self.origin, 0)
        require_at_least("length", self.length, 1)
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
    """How QEMU runs a core: board, instruction clock, counter and where the image lies.

    ``icount_shift`` n makes one instruction take 2**n ns of virtual time; the timer at address
    ``counter_base`` ticks ``counter_hz`` times in a virtual second. The counter "minstret" is a
    register of the core, without an address; it ticks with each instruction, which is
    :data:`INSTRUCTION_HZ` at a shift of 0. ``cpu`` names the core and its options where a board
    takes any; it is empty where the board has one.
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
    cpu: str = ""

    def __post_init__(self) -> None:
        """Raise :class:`TargetError` for a value that QEMU or the runtime could not use."""
        require_text("program", self.program)
        require_text("machine", self.machine)
        # QEMU takes 0 to 10 only.
        require_at_least("icount_shift", self.icount_shift, 0)
        require_at_most("icount_shift", self.icount_shift, 10)
        require_one_of("counter", self.counter, COUNTERS)
        require_at_least("counter_base", self.counter_base, 0)
        require_at_most("counter_base", self.counter_base, ADDRESS_SPACE - 1)
        require_at_least("counter_hz", self.counter_hz, 1)
        if self.counter == "minstret":
            self._require_every_instruction()
        require_disjoint({"vectors": self.vectors, "code": self.code, "data": self.data})

    def _require_every_instruction(self) -> None:
        # QEMU 7.2 counts virtual nanoseconds in this register, later ones instructions: with this
        # shift they are the same.
        require_at_most("icount_shift", self.icount_shift, 0)
        require_at_most("counter_base", self.counter_base, 0)
        require_at_least("counter_hz", self.counter_hz, INSTRUCTION_HZ)
        require_at_most("counter_hz", self.counter_hz, INSTRUCTION_HZ)


def require_disjoint(regions: Mapping[str, Region]) -> None:
    """Raise :class:`TargetError` if two of the regions, by their names, overlap."""
    for (one, first), (other, second) in combinations(regions.items(), 2):
        if first.origin < second.end and second.origin < first.end:
            raise TargetError(
                f"The regions {one!r} and {other!r} overlap.",
                where=other,
                supported="three regions apart from each other",
                hint=f"Move or shorten {one} or {other}.",
            )
