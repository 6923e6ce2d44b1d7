"""The library: all files of a compiled model, as text by path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tvm_embbert.codegen.c_printer import CFunction, print_c
from tvm_embbert.codegen.entry import print_entry
from tvm_embbert.codegen.header import Interface, print_header
from tvm_embbert.codegen.names import Names
from tvm_embbert.codegen.sources import print_internal_header, print_kernels, print_weights
from tvm_embbert.memory.plan import MemoryPlan
from tvm_embbert.program.lower_tir import lower_tir
from tvm_embbert.program.program import Program
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.knobs import OPTIMIZE

ARITHMETIC = "tvm_embbert_arithmetic.h"
_RUNTIME = Path(__file__).parent.parent / "runtime" / "include"


@dataclass(frozen=True)
class Library:
    """Files by path relative to the library's folder: ``include/`` is public, ``src/`` is not."""

    names: Names
    files: dict[str, str]

    def write(self, folder: Path) -> list[Path]:
        """Write the files below a folder; returns their paths."""
        paths = []
        for name, text in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            paths.append(path)
        return paths


def generate(
    names: Names,
    program: Program,
    plan: MemoryPlan,
    interface: Interface,
    weights_in_ram: bool = False,
) -> Library:
    """Print a program as a C99 library.

    Parameters
    ----------
    names : Names
        Prefix of symbols.
    program, plan : Program, MemoryPlan
        What runs, and where its buffers lie.
    interface : Interface
        What the header tells.
    weights_in_ram : bool
        Whether the weights are to be copied to RAM by the start-up code, as initialised variables.
    """
    prefix, functions = names.prefix, c_functions(program)
    files = {
        f"include/{prefix}.h": print_header(names, program, plan, interface),
        f"src/{prefix}.c": print_entry(names, program, plan, functions),
        f"src/{prefix}_internal.h": print_internal_header(names, program, functions),
        **kernel_files(names, functions, program.levels, program.calls),
        f"src/{prefix}_weights.c": print_weights(names, program, weights_in_ram),
        f"src/{ARITHMETIC}": (_RUNTIME / ARITHMETIC).read_text(encoding="utf-8"),
    }
    return Library(names, files)


def kernel_files(
    names: Names,
    functions: Mapping[str, CFunction],
    levels: Mapping[str, str],
    calls: Mapping[str, Sequence[Intrinsic]],
) -> dict[str, str]:
    """Print kernels, those of another level than the usual one in a file for each level.

    Parameters
    ----------
    functions, levels, calls : mapping
        By the kernel's name: its C, its optimisation level, the intrinsics that it calls.
    """
    files = {}
    for level in sorted(set(levels.values())):
        at = [name for name in functions if levels[name] == level]
        called = {i.name: i for name in at for i in calls[name]}
        usual = level == OPTIMIZE.default
        path = f"src/{names.prefix}_kernels{'' if usual else f'_{level}'}.c"
        text = print_kernels(names, {n: functions[n] for n in at}, called, "" if usual else level)
        files[path] = text
    return files


def c_functions(program: Program) -> dict[str, CFunction]:
    """Print each kernel of a program as C, by its name."""
    return {
        name: print_c(lower_tir(kernel), name not in program.overlapping, program.intrinsics)
        for name, kernel in program.kernels.items()
    }
