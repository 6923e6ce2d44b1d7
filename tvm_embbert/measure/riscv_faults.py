"""The registers that a RISC-V core leaves after a trap, in words.

Source: The RISC-V Instruction Set Manual, volume II, "Machine Cause Register (mcause)".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tvm_embbert.measure.faults import CHECK_FLAGS, LARGER_STACK, damaged_fault

_REGISTERS = struct.Struct("<35I")

_ILLEGAL = 2

_CAUSES = {
    0: ("instruction address misaligned", "a jump to an odd address"),
    1: ("instruction access fault", "code fetched from a forbidden address"),
    2: ("illegal instruction", "an instruction that the core does not have, or a unit that is off"),
    3: ("breakpoint", "an ebreak in the code"),
    4: ("load address misaligned", "an unaligned access"),
    5: ("load access fault", "data read from a forbidden address or one without memory"),
    6: ("store address misaligned", "an unaligned access"),
    7: ("store access fault", "data written to a forbidden address or one without memory"),
    8: ("environment call from user mode", "an ecall in the code"),
    11: ("environment call from machine mode", "an ecall in the code"),
}

_WITH_ADDRESS = (0, 1, 4, 5, 6, 7)
_ACCESSES = (1, 5, 7)

_NAMES = (
    *("ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1"),
    *(f"a{i}" for i in range(8)),
    *(f"s{i}" for i in range(2, 12)),
    *(f"t{i}" for i in range(3, 7)),
)


@dataclass(frozen=True)
class RiscvFault:
    """Registers at a trap; ``in_guard`` if it was below the stack, ``x`` holds x1 to x31."""

    mcause: int
    mepc: int
    mtval: int
    in_guard: bool
    x: tuple[int, ...]

    @property
    def name(self) -> str:
        """The exception's name in the manual."""
        return _CAUSES.get(self.mcause, (f"trap {self.mcause:#x}", ""))[0]

    @property
    def pc(self) -> int:
        """Address of the instruction that faulted."""
        return self.mepc

    @property
    def address(self) -> int | None:
        """Address whose access faulted, or None if the cause has none."""
        return self.mtval if self.mcause in _WITH_ADDRESS else None

    @property
    def is_overflow(self) -> bool:
        """Whether the stack ran into the guard below it."""
        return self.in_guard and self.mcause in _ACCESSES

    def causes(self) -> str:
        """Return what the cause register says."""
        if self.is_overflow:
            return "stack overflow"
        return _CAUSES.get(self.mcause, ("", "no cause given"))[1]

    def registers(self) -> str:
        """Return all registers as text."""
        fields = {"pc": self.mepc, "mcause": self.mcause, "mtval": self.mtval}
        fields |= dict(zip(_NAMES, self.x, strict=True))
        return " ".join(f"{name}={value:#010x}" for name, value in fields.items())

    def hint(self) -> str:
        """Return what to do about it."""
        if self.is_overflow:
            return LARGER_STACK
        return CHECK_FLAGS if self.mcause == _ILLEGAL else "Look up pc and ra in the map file."


def unpack_riscv_fault(payload: bytes) -> RiscvFault:
    """Return the registers of a FAULT frame; raise :class:`DeviceError` if it is damaged."""
    if len(payload) != _REGISTERS.size:
        raise damaged_fault(payload)
    mcause, mepc, mtval, in_guard, *x = _REGISTERS.unpack(payload)
    return RiscvFault(mcause, mepc, mtval, bool(in_guard), tuple(x))
