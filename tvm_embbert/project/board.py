"""The bare board that a project's images are laid out for, as CMake and the linker want it told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tvm_embbert.measure.cross import CROSS_TOOLCHAINS
from tvm_embbert.measure.emulator import instructions_of
from tvm_embbert.measure.linking import StackSizes, linker_script
from tvm_embbert.measure.toolchain import Compiler
from tvm_embbert.measure.wiring import Wiring, wiring
from tvm_embbert.target import Target
from tvm_embbert.target_file import list_targets

FAULT_STACK = 512
"""Bytes of the stack that a fault's report has for itself."""

_SAMPLE = 10**9


def bare_board(target: Target) -> Target | None:
    """Return the device whose addresses and UART an image can have.

    That is the target itself where its file tells them. Else it is the board that QEMU has with the
    same core, in whose memory the image is laid out; None where there is none.
    """
    if target.serial is not None:
        return target
    if target.core.emulator is None:
        return None
    same = [t for t in list_targets() if t.core.name == target.core.name and t.serial is not None]
    return replace(same[0], core=target.core) if same else None


def board_values(target: Target, stack: int) -> dict[str, Any] | None:
    """Return what templates can name of a bare board, or None where the device has none.

    Parameters
    ----------
    target : Target
        The device.
    stack : int
        Bytes of stack.
    """
    board = bare_board(target)
    if board is None or board.serial is None:
        return None
    wired = wiring(board, "serial")
    cross = CROSS_TOOLCHAINS[board.core.toolchain]
    compiler = Compiler("", (*board.core.flags, *cross.flags))
    sizes = StackSizes(stack, FAULT_STACK)
    return {
        "name": board.name,
        "description": board.description,
        "stands_in": board.name != target.name,
        "emulated": not board.serial.counter and board.serial.code is None,
        "toolchain": cross.name,
        "riscv": "riscv" in cross.name,
        "flags": list(compiler.flags),
        "clang_flags": [clang_flag(flag) for flag in board.core.flags],
        "link_flags": list(cross.linker(compiler).flags),
        "definitions": _definitions(wired),
        "uart": wired.sources[-1].name,
        "script": linker_script(wired.layout, sizes, cross.stack_alignment),
        **_unit(board),
    }


def clang_flag(flag: str) -> str:
    """Return a core's flag as clang 16 takes it, which counts CSRs to the base instruction set."""
    return flag.replace("_zicsr", "")


def _definitions(wired: Wiring) -> list[str]:
    return [macro.removeprefix("-D") for macro in wired.macros]


def _unit(board: Target) -> dict[str, Any]:
    """Return what the counter counts, and how many of it pass in some ticks."""
    emulator, serial = board.core.emulator, board.serial
    if (serial is not None and serial.counter) or emulator is None:
        return {"unit": "cycles", "units": 1, "ticks": 1}
    return {"unit": "instructions", "units": instructions_of(emulator, _SAMPLE), "ticks": _SAMPLE}
