"""Faults of a device in words, whatever its architecture."""

from __future__ import annotations

from typing import Protocol

from tvm_embbert.errors import DeviceError


class Fault(Protocol):
    """The registers that a core leaves after a fault."""

    @property
    def name(self) -> str:
        """The fault's own name."""

    @property
    def pc(self) -> int | None:
        """Address of the instruction that faulted, if it is known."""

    @property
    def address(self) -> int | None:
        """Address whose access faulted, if it is known."""

    def causes(self) -> str:
        """Return what the core says of the cause."""

    def registers(self) -> str:
        """Return all registers as text."""

    def hint(self) -> str:
        """Return what to do about it."""


LARGER_STACK = "Build the image with a larger stack."
CHECK_FLAGS = "Check that the core's compiler flags fit the emulated core."


def damaged_fault(payload: bytes) -> DeviceError:
    """Return the error for a FAULT frame of a wrong size."""
    return DeviceError("The device crashed, and its report is damaged.", where=payload.hex(" "))


def fault_error(fault: Fault, function: str | None) -> DeviceError:
    """Return the error that tells of a fault; ``function`` is where it happened, if known."""
    place = f" in {function}" if function else ""
    article = "an" if fault.name[0] in "aeiou" else "a"
    access = "" if fault.address is None else f" at address {fault.address:#010x}"
    return DeviceError(
        f"The model crashed{place} with {article} {fault.name}{access}: {fault.causes()}.",
        where=fault.registers(),
        hint=fault.hint(),
    )
