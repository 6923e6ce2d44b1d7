"""Linking an image, with as much stack as its code can need."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from tvm_embbert.errors import ToolchainError
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
from tvm_embbert.measure.wiring import Layout

ELF_FILE = "image.elf"
MAP_FILE = "image.map"
_SCRIPT = "link.ld"

_NUMBER = re.compile(r"^\s*0x([0-9a-f]+)\s+harness_image_number = ", re.MULTILINE)

_MEMORY = """\
MEMORY
{{
  VECTORS (rx) : ORIGIN = {vectors.origin:#x}, LENGTH = {vectors.length:#x}
  CODE (rx)    : ORIGIN = {code.origin:#x}, LENGTH = {code.length:#x}
  DATA (rw)    : ORIGIN = {data.origin:#x}, LENGTH = {data.length:#x}
}}"""

_ONE_MEMORY = """\
MEMORY
{{
  DATA (rwx) : ORIGIN = {data.origin:#x}, LENGTH = {data.length:#x}
}}
REGION_ALIAS("VECTORS", DATA)
REGION_ALIAS("CODE", DATA)"""


@dataclass(frozen=True)
class StackSizes:
    """Bytes of the stack, and of the one that only a fault's report uses."""

    main: int
    fault: int


@dataclass(frozen=True)
class Linker:
    """What is linked, and where to; ``objects`` are paths within the folder ``build``.

    ``numbered`` tells whether the image carries a number, see :func:`read_number`.
    """

    compiler: Compiler
    cross: CrossToolchain
    layout: Layout
    objects: tuple[str, ...]
    build: Path
    numbered: bool = False

    def link(self, stacks: StackSizes, number: int = 0) -> None:
        """Write image and map file into the folder; raise :class:`ToolchainError` if it fails."""
        script = linker_script(self.layout, stacks, self.cross.stack_alignment)
        (self.build / _SCRIPT).write_text(script, encoding="utf-8")
        # The C library gives memcpy and the like, the compiler's own one 64-bit division.
        flags = ["-nostartfiles", "-T", _SCRIPT, "-o", ELF_FILE]
        flags += ["-Wl,--gc-sections", f"-Wl,-Map={MAP_FILE}"]
        if self.numbered:
            flags += [f"-Wl,--defsym=harness_image_number={number:#x}"]
        link(self.cross.linker(self.compiler), self.objects, self.build, flags)

    def call_graph(self) -> CallGraph:
        """Return the call graph of what was linked."""
        elf, map_file = self.build / ELF_FILE, self.build / MAP_FILE
        return read_call_graph(elf, map_file, self.build, self.cross)

    def relink(self, stacks: StackSizes) -> None:
        """Link once more, with a number that tells all that was linked, and the stacks."""
        seen = (self.build / ELF_FILE).read_bytes() + f"{stacks}".encode()
        self.link(stacks, zlib.crc32(seen))


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
    linker.relink(sizes)
    return sizes.main, bound


def link_monitor(linker: Linker) -> None:
    """Link the monitor as :func:`link_image` does a model; raises as that does."""
    linker.link(StackSizes(0, 0))
    graph = linker.call_graph()
    needed = sum(size for _, size in graph.bound("Reset_Handler"))
    unit = linker.cross.stack_alignment
    linker.relink(StackSizes(_aligned(needed, unit), _aligned(fault_stack(graph), unit)))


def read_number(map_file: Path) -> int:
    """Return the number of an image on a serial line, which two that differ do not share.

    Raises
    ------
    ToolchainError
        If the map file cannot be read, or the image has none.
    """
    try:
        found = _NUMBER.search(map_file.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise ToolchainError(
            f"The map file cannot be read: {error}", where=str(map_file)
        ) from error
    if found is None:
        hint = 'Build the image with build_image(..., link="serial").'
        raise ToolchainError("The image has no number.", where=str(map_file), hint=hint)
    return int(found[1], 16)


def linker_script(layout: Layout, stacks: StackSizes, alignment: int) -> str:
    """Return the linker script for a layout of the memory.

    ``alignment`` is that of the stacks, in bytes.
    """
    text = (RUNTIME / "link.ld.in").read_text(encoding="utf-8")
    memory = _ONE_MEMORY if layout.shared else _MEMORY
    text = text.replace("@MEMORY@", memory.format(**vars(layout)))
    text = text.replace("@STACK_ALIGNMENT@", f"{alignment}")
    text = text.replace("@STACK@", f"{stacks.main:#x}")
    return text.replace("@FAULT_STACK@", f"{stacks.fault:#x}")


def _aligned(size: int, unit: int) -> int:
    return -(-size // unit) * unit
