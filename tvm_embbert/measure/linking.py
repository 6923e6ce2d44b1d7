"""Linking an image, with as much stack as its code can need."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tvm_embbert.measure.cross import CrossToolchain
from tvm_embbert.measure.sources import RUNTIME
from tvm_embbert.measure.stack_usage import (
    CallGraph,
    StackBound,
    fault_stack,
    read_call_graph,
    stack_bound,
)
from tvm_embbert.measure.toolchain import Compiler, link
from tvm_embbert.target import Emulator

ELF_FILE = "image.elf"
MAP_FILE = "image.map"
_SCRIPT = "link.ld"


@dataclass(frozen=True)
class StackSizes:
    """Bytes of the stack, and of the one that only a fault's report uses."""

    main: int
    fault: int


@dataclass(frozen=True)
class Linker:
    """What is linked, and for which board; ``objects`` are paths within the folder ``build``."""

    compiler: Compiler
    cross: CrossToolchain
    emulator: Emulator
    objects: tuple[str, ...]
    build: Path

    def link(self, stacks: StackSizes) -> None:
        """Write image and map file into the folder; raise :class:`ToolchainError` if it fails."""
        script = linker_script(self.emulator, stacks, self.cross.stack_alignment)
        (self.build / _SCRIPT).write_text(script, encoding="utf-8")
        # The C library gives memcpy and the like, the compiler's own one 64-bit division.
        flags = ["-nostartfiles", "-T", _SCRIPT, "-o", ELF_FILE]
        flags += ["-Wl,--gc-sections", f"-Wl,-Map={MAP_FILE}"]
        link(self.cross.linker(self.compiler), self.objects, self.build, flags)

    def call_graph(self) -> CallGraph:
        """Return the call graph of what was linked."""
        elf, map_file = self.build / ELF_FILE, self.build / MAP_FILE
        return read_call_graph(elf, map_file, self.build, self.cross)


def link_image(
    linker: Linker, model: str, stack_size: int | None, guard: int
) -> tuple[int, StackBound | None]:
    """Link twice: to see what the stacks need, then with these sizes.

    Parameters
    ----------
    model
        The model's name.
    stack_size
        Bytes of stack, or None for its bound.
    guard
        Bytes below the stack that must stay as they are.

    Returns
    -------
    The bytes of stack in the image, with the guard, and the bound if it was asked for.

    Raises
    ------
    ToolchainError
        If linking fails, or the stack has no bound.
    """
    linker.link(StackSizes(0, 0))
    graph = linker.call_graph()
    bound = stack_bound(graph, model) if stack_size is None else None
    needed = bound.total if bound else stack_size or 0
    unit = linker.cross.stack_alignment
    sizes = StackSizes(_aligned(needed, unit) + guard, _aligned(fault_stack(graph), unit))
    linker.link(sizes)
    return sizes.main, bound


def linker_script(emulator: Emulator, stacks: StackSizes, alignment: int) -> str:
    """Return the linker script for the emulated board's memories.

    ``alignment`` is that of the stacks, in bytes.
    """
    text = (RUNTIME / "link.ld.in").read_text(encoding="utf-8")
    regions = {"VECTORS": emulator.vectors, "CODE": emulator.code, "DATA": emulator.data}
    for name, region in regions.items():
        text = text.replace(f"@{name}_ORIGIN@", f"{region.origin:#x}")
        text = text.replace(f"@{name}_LENGTH@", f"{region.length:#x}")
    text = text.replace("@STACK_ALIGNMENT@", f"{alignment}")
    text = text.replace("@STACK@", f"{stacks.main:#x}")
    return text.replace("@FAULT_STACK@", f"{stacks.fault:#x}")


def _aligned(size: int, unit: int) -> int:
    return -(-size // unit) * unit
