"""Exact memory use of an image, from the map file of GNU ld."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tvm_embbert.errors import ToolchainError
from tvm_embbert.measure.sources import MODEL_GROUP

FLASH_SECTIONS = (".vectors", ".text", ".rodata", ".data")
"""Output sections that lie in flash; .data as the initial values of the one in RAM."""

RAM_SECTIONS = (".stack", ".arena", ".data", ".bss")
"""Output sections that lie in RAM."""

RAM_WEIGHTS = ".data.tvmgen_weights"
"""Input section of a model's constants that are copied to RAM at the start."""

_POOL = ".bss.harness_arena_"

_START = "Linker script and memory map"
# Sections without memory of their own on the device.
_UNLOADED = (".debug", ".comment", ".ARM.attributes", ".riscv.attributes", "/DISCARD/")
_OUTPUT = re.compile(r"(\S+)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)")
_INPUT = re.compile(r" (\S+)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S.*)")
_LONG_NAME = re.compile(r" ?[.\w/][^\s(*]*")


@dataclass(frozen=True)
class Piece:
    """An input section in the image: where it went, whose it is; address and size in bytes."""

    output: str
    name: str
    address: int
    size: int
    file: str

    @property
    def of_model(self) -> bool:
        """Whether it comes from the model rather than from the harness or a library."""
        return self.file.startswith(f"{MODEL_GROUP}/")


@dataclass(frozen=True)
class Map:
    """The contents of a map file: sizes of the output sections in bytes, and their pieces."""

    sections: dict[str, int]
    pieces: tuple[Piece, ...]

    def model_bytes(self, section: str) -> int:
        """Return the bytes of an output section that are the model's."""
        return sum(p.size for p in self.pieces if p.of_model and p.output == section)

    def ram_weights(self) -> int:
        """Return the bytes of the model's constants that are copied to RAM."""
        pieces = (p for p in self.pieces if p.output == ".data" and p.of_model)
        return sum(p.size for p in pieces if f"{p.name}.".startswith(f"{RAM_WEIGHTS}."))

    def pools(self) -> dict[str, int]:
        """Return the bytes of each memory pool of the model, by name."""
        pieces = (p for p in self.pieces if p.output == ".arena" and p.name.startswith(_POOL))
        return {p.name.removeprefix(_POOL): p.size for p in pieces}

    def function_at(self, address: int) -> str | None:
        """Return the function at an address, or None outside of the code."""
        for piece in self.pieces:
            if piece.output == ".text" and 0 <= address - piece.address < piece.size:
                return piece.name.removeprefix(".text.")
        return None


@dataclass(frozen=True)
class FlashUse:
    """Bytes of flash: the model's constants and code, and the rest.

    ``weights`` counts those that are copied to RAM, too: flash holds their values.

    ``harness`` is the start, the harness, the libraries, the initial values of variables and the
    padding between sections.
    """

    weights: int
    code: int
    harness: int

    @property
    def total(self) -> int:
        """All bytes of flash."""
        return self.weights + self.code + self.harness


@dataclass(frozen=True)
class RamUse:
    """Bytes of RAM: arena, stack, constants copied there, and all other variables (with padding).

    ``pools`` is what the arena consists of, by name; between pools there may be padding. In a debug
    image, pools and stack include their guards.
    """

    arena: int
    stack: int
    static: int
    weights: int
    pools: dict[str, int]

    @property
    def total(self) -> int:
        """All bytes of RAM."""
        return self.arena + self.stack + self.static + self.weights


@dataclass(frozen=True)
class MapUse:
    """Bytes of flash and RAM that an image takes."""

    flash: FlashUse
    ram: RamUse


def memory_use(map_file: Path) -> MapUse:
    """Return the memory use of the image with that map file.

    The totals equal the sizes of the image's sections.

    Raises
    ------
    ToolchainError
        If the file is missing, no map of GNU ld, or holds the model's data in unknown sections.
    """
    found = read_map(map_file)
    if ".arena" not in found.sections:
        raise _unreadable(map_file, "it holds no sections of a model's image")
    _require_known_sections(found, map_file)
    sizes = found.sections
    copied, code = found.ram_weights(), found.model_bytes(".text")
    weights = found.model_bytes(".rodata") + copied
    flash = sum(sizes.get(name, 0) for name in FLASH_SECTIONS)
    static = sizes.get(".data", 0) + sizes.get(".bss", 0) - copied
    return MapUse(
        FlashUse(weights, code, flash - weights - code),
        RamUse(sizes[".arena"], sizes[".stack"], static, copied, found.pools()),
    )


def read_map(map_file: Path) -> Map:
    """Parse a map file; raise :class:`ToolchainError` if it is none of an image's."""
    try:
        text = map_file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise _unreadable(map_file, error.strerror or "unreadable") from error
    found = _parse(text.partition(_START)[2].splitlines())
    if not {".text", ".stack"} <= found.sections.keys():
        raise _unreadable(map_file, "it holds no sections of an image")
    return found


def _parse(lines: list[str]) -> Map:
    sections: dict[str, int] = {}
    pieces: list[Piece] = []
    output = ""
    for line in _joined(lines):
        if match := _OUTPUT.match(line):
            output = match[1]
            sections[output] = int(match[3], 16)
        elif (match := _INPUT.match(line)) and output:
            address, size = int(match[2], 16), int(match[3], 16)
            pieces.append(Piece(output, match[1], address, size, match[4]))
    return Map(sections, tuple(pieces))


def _joined(lines: list[str]) -> Iterator[str]:
    """Yield the lines, with names that have a line of their own put before the next line."""
    name = ""
    for line in lines:
        if _LONG_NAME.fullmatch(line):
            name = line
            continue
        yield name + line if line.startswith("  ") else line
        name = ""


def _require_known_sections(found: Map, map_file: Path) -> None:
    known = {*FLASH_SECTIONS, *RAM_SECTIONS}
    for piece in found.pieces:
        if piece.size and piece.output not in known and not piece.output.startswith(_UNLOADED):
            raise ToolchainError(
                f"The image has a section {piece.output!r} that counts as neither flash nor RAM.",
                where=f"{piece.file} in {map_file}",
                supported=", ".join(sorted(known)),
                hint="Remove the section attribute from the source.",
            )


def _unreadable(map_file: Path, reason: str) -> ToolchainError:
    return ToolchainError(
        f"The map file could not be read: {reason}.",
        where=str(map_file),
        supported="the map file that build_image wrote",
        hint="Build the image again.",
    )
