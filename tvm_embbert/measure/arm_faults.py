"""The registers that a Cortex-M leaves after a fault, in words."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tvm_embbert.measure.faults import CHECK_FLAGS, LARGER_STACK, damaged_fault

_REGISTERS = struct.Struct("<14I")

_EXCEPTIONS = {
    2: "NMI",
    3: "HardFault",
    4: "MemManage fault",
    5: "BusFault",
    6: "UsageFault",
    7: "SecureFault",
}

_CFSR = {
    0: "IACCVIOL, code fetched from a forbidden address",
    1: "DACCVIOL, data access to a forbidden address",
    3: "MUNSTKERR, forbidden address on leaving an exception",
    4: "MSTKERR, stack in a forbidden place",
    5: "MLSPERR, forbidden address on saving the FPU",
    8: "IBUSERR, code fetched from an address without memory",
    9: "PRECISERR, data access to an address without memory",
    10: "IMPRECISERR, an earlier data access to an address without memory",
    11: "UNSTKERR, bus error on leaving an exception",
    12: "STKERR, stack in a place without memory",
    13: "LSPERR, bus error on saving the FPU",
    16: "UNDEFINSTR, an instruction that the core does not have",
    17: "INVSTATE, a jump to an even address",
    18: "INVPC, a bad return from an exception",
    19: "NOCP, no FPU or MVE, or it is off",
    20: "STKOF, stack overflow",
    24: "UNALIGNED, an unaligned access",
    25: "DIVBYZERO, a division by zero",
}

_MMFAR_VALID = 1 << 7
_BFAR_VALID = 1 << 15
_STACK_FAULTS = (1 << 4) | (1 << 12) | (1 << 20)
_UNKNOWN_INSTRUCTION = (1 << 16) | (1 << 19)


@dataclass(frozen=True)
class ArmFault:
    """Registers at a fault; ``core`` holds r0-r3, r12, lr, pc, xpsr, or is empty if lost."""

    exception: int
    cfsr: int
    hfsr: int
    mmfar: int
    bfar: int
    core: tuple[int, ...]

    @property
    def name(self) -> str:
        """The exception's name."""
        return _EXCEPTIONS.get(self.exception, f"exception {self.exception}")

    @property
    def pc(self) -> int | None:
        """Address of the instruction that faulted, if it is known."""
        return self.core[6] if self.core else None

    @property
    def address(self) -> int | None:
        """Address whose access faulted, if it is known."""
        if self.cfsr & _MMFAR_VALID:
            return self.mmfar
        return self.bfar if self.cfsr & _BFAR_VALID else None

    def causes(self) -> str:
        """Return what the fault status register says."""
        found = [text for bit, text in _CFSR.items() if self.cfsr >> bit & 1]
        return "; ".join(found) or "no cause given"

    def registers(self) -> str:
        """Return all registers as text."""
        names = ("r0", "r1", "r2", "r3", "r12", "lr", "pc", "xpsr")
        core = [f"{name}={value:#010x}" for name, value in zip(names, self.core, strict=False)]
        fields = {"cfsr": self.cfsr, "hfsr": self.hfsr, "mmfar": self.mmfar, "bfar": self.bfar}
        return " ".join([*core, *(f"{name}={value:#010x}" for name, value in fields.items())])

    def hint(self) -> str:
        """Return what to do about it."""
        if self.cfsr & _STACK_FAULTS:
            return LARGER_STACK
        if self.cfsr & _UNKNOWN_INSTRUCTION:
            return CHECK_FLAGS
        return "Look up pc and lr in the image's map file."


def unpack_arm_fault(payload: bytes) -> ArmFault:
    """Return the registers of a FAULT frame; raise :class:`DeviceError` if it is damaged."""
    if len(payload) != _REGISTERS.size:
        raise damaged_fault(payload)
    exception, stacked, cfsr, hfsr, mmfar, bfar, *core = _REGISTERS.unpack(payload)
    return ArmFault(exception, cfsr, hfsr, mmfar, bfar, tuple(core) if stacked else ())
