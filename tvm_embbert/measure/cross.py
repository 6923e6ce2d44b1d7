"""The toolchains for bare devices, and what differs between their architectures."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from tvm_embbert.measure.arm_faults import unpack_arm_fault
from tvm_embbert.measure.faults import Fault
from tvm_embbert.measure.instruction import Parse
from tvm_embbert.measure.riscv import RiscvInstruction
from tvm_embbert.measure.riscv_faults import unpack_riscv_fault
from tvm_embbert.measure.thumb import ThumbInstruction
from tvm_embbert.measure.toolchain import Compiler, find_program, run


@dataclass(frozen=True)
class CrossToolchain:
    """GCC, binutils and a C library for bare devices.

    Attributes
    ----------
    name : str
        What the programs' names begin with.
    packages, binutils : str
        Debian's packages with the compiler and the C library, and with binutils.
    runtime : str
        The architecture's folder in the runtime.
    flags, link_flags : tuple of str
        Flags beside those of the core: of every run of GCC, and of linking alone.
    stack_alignment : int
        Bytes; a stack begins and ends at multiples of it.
    parse : Parse
        Reads objdump's instructions.
    unpack_fault : callable
        Reads the payload of a FAULT frame; raises :class:`DeviceError` if it is damaged.
    """

    name: str
    packages: str
    binutils: str
    runtime: str
    flags: tuple[str, ...]
    link_flags: tuple[str, ...]
    stack_alignment: int
    parse: Parse
    unpack_fault: Callable[[bytes], Fault]

    def compiler(self, core_flags: Sequence[str]) -> Compiler:
        """Return GCC with a core's flags; raise :class:`ToolchainError` if it is missing."""
        program = find_program(f"{self.name}-gcc", self.packages)
        return Compiler(program, (*core_flags, *self.flags))

    def linker(self, compiler: Compiler) -> Compiler:
        """Return the compiler with flags by which it finds the libraries.

        GCC 12 looks for libraries of just these extensions, once one of them has a name of several
        letters, and there are none; those of the letters alone will do.
        """
        flags = (re.sub(r"^(-march=rv[^_]*)_.*", r"\1", flag) for flag in compiler.flags)
        return Compiler(compiler.program, (*flags, *self.link_flags))

    @cached_property
    def version(self) -> str:
        """Return what GCC says of its version; raise :class:`ToolchainError` if it is missing."""
        command = [self.compiler(()).program, "--version"]
        return run(command, Path.cwd(), "ask the compiler's version").splitlines()[0]


CROSS_TOOLCHAINS: Mapping[str, CrossToolchain] = MappingProxyType(
    {
        toolchain.name: toolchain
        for toolchain in (
            CrossToolchain(
                name="arm-none-eabi",
                packages="gcc-arm-none-eabi and libnewlib-arm-none-eabi",
                binutils="binutils-arm-none-eabi",
                runtime="arm",
                flags=(),
                link_flags=("--specs=nano.specs",),
                stack_alignment=8,
                parse=ThumbInstruction.parse,
                unpack_fault=unpack_arm_fault,
            ),
            CrossToolchain(
                name="riscv64-unknown-elf",
                packages="gcc-riscv64-unknown-elf and picolibc-riscv64-unknown-elf",
                binutils="binutils-riscv64-unknown-elf",
                runtime="riscv",
                flags=("--specs=picolibc.specs",),
                # The one with memset and memcpy by words; GCC's default is the smallest.
                link_flags=("--picolibc-buildtype=release",),
                stack_alignment=16,
                parse=RiscvInstruction.parse,
                unpack_fault=unpack_riscv_fault,
            ),
        )
    }
)
"""The toolchains of cores that are emulated, by the name in the core's file."""
