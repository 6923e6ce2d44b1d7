"""Kernels of an emulated bench that are compiled at other levels than the default: a file each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tvm_embbert.codegen.c_printer import CFunction
from tvm_embbert.codegen.library import ARITHMETIC
from tvm_embbert.codegen.names import Names
from tvm_embbert.codegen.sources import print_kernels
from tvm_embbert.measure.sources import RUNTIME
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic

INTERNAL = "tvmgen_bench_internal.h"
_NAMES = Names("bench")


@dataclass
class Level:
    """The kernels of an optimisation level, and the intrinsics that they call."""

    level: str
    functions: dict[CFunction, str] = field(default_factory=dict)
    intrinsics: dict[str, Intrinsic] = field(default_factory=dict)

    def add(self, printed: CFunction) -> str:
        """Return the symbol of a kernel; equal kernels have one."""
        key = self.functions.setdefault(printed, f"kernel_{self.level}_{len(self.functions)}")
        return _NAMES.symbol(key)

    def named(self) -> list[tuple[CFunction, str]]:
        """Return the kernels with their symbols."""
        return [(printed, _NAMES.symbol(key)) for printed, key in self.functions.items()]

    def text(self) -> str:
        """Return the file's text, as the compiler prints a library's kernels."""
        named = {key: printed for printed, key in self.functions.items()}
        return print_kernels(_NAMES, named, self.intrinsics, self.level)


def write_levels(levels: Mapping[str, Level], folder: Path) -> list[Path]:
    """Write the levels' sources into a folder, their headers into ``include`` in it."""
    include, paths = folder / "include", []
    named = [pair for level in levels.values() for pair in level.named()]
    prototypes = [f"{printed.prototype(symbol)};\n" for printed, symbol in named]
    (include / INTERNAL).write_text(f"#include <stdint.h>\n{''.join(prototypes)}")
    (include / ARITHMETIC).write_text((RUNTIME / "include" / ARITHMETIC).read_text())
    for name, level in levels.items():
        paths.append(folder / f"kernels_{name}.c")
        paths[-1].write_text(level.text())
    return paths
