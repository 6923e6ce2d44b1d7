"""Sizes of a shared library on this machine, read by binutils' ``size``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tvm_embbert.measure.toolchain import find_program, run


@dataclass(frozen=True)
class LibraryUse:
    """Bytes of a library: machine code, and data that can be written."""

    code: int
    static: int


def library_use(library: Path) -> LibraryUse:
    """Return the sizes of a shared library's sections, in bytes."""
    size = find_program("size", "binutils")
    text = run([size, "-A", str(library.resolve())], library.parent.resolve(), "measure library")
    sections = {}
    for line in text.splitlines():
        name, *rest = line.split() or [""]
        if name.startswith(".") and rest and rest[0].isdigit():
            sections[name] = int(rest[0])
    code = sum(sections.get(name, 0) for name in (".text", ".init", ".fini", ".plt"))
    return LibraryUse(code, sections.get(".data", 0) + sections.get(".bss", 0))
