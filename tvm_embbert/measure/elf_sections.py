"""What an image puts into memory before it runs, read from its ELF file."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from tvm_embbert.errors import ToolchainError

_FILE = struct.Struct("<16sHHIIIIIHHHHHH")
_SECTION = struct.Struct("<10I")
_BYTES_IN_FILE = 1  # SHT_PROGBITS
_IN_MEMORY = 2  # SHF_ALLOC


@dataclass(frozen=True)
class LoadedSection:
    """Bytes of an image, and the address that they belong to."""

    address: int
    data: bytes


def loaded_sections(elf: Path) -> list[LoadedSection]:
    """Return the sections of a little-endian 32-bit ELF file that have bytes in memory.

    Memory that only gets room (stack, arena, variables that are cleared) is left out.

    Raises
    ------
    ToolchainError
        If the file cannot be read, or is none of that kind.
    """
    try:
        data = elf.read_bytes()
        if data[:6] != b"\x7fELF\x01\x01":
            raise ValueError("it is no little-endian ELF file of 32 bits")
        headers = _section_headers(data)
        # Name, type, flags, address, offset, size.
        found = [h for h in headers if h[1] == _BYTES_IN_FILE and h[2] & _IN_MEMORY and h[5]]
        return [LoadedSection(h[3], data[h[4] : h[4] + h[5]]) for h in found]
    except (OSError, ValueError, struct.error) as error:
        what = f"The image cannot be read: {error}."
        raise ToolchainError(what, where=str(elf), hint="Build it again.") from error


def _section_headers(data: bytes) -> list[tuple[int, ...]]:
    header = _FILE.unpack_from(data)
    offset, size, count = header[6], header[11], header[12]
    return [_SECTION.unpack_from(data, offset + index * size) for index in range(count)]
