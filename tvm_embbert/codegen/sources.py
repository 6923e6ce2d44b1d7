"""The other sources: kernels, weights and the header that they share with the entry points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from tvm_embbert.codegen.c_expression import C_TYPES
from tvm_embbert.codegen.c_printer import CFunction
from tvm_embbert.codegen.intrinsics import print_intrinsic
from tvm_embbert.codegen.names import Names
from tvm_embbert.program.program import Array, Program
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic

_WIDTH = 100
_SECTION = """\
/* A section whose name begins with .data is copied from flash to RAM at start-up. A build whose
 * linker script has another place for the weights defines this differently. */
#ifndef {MACRO}_WEIGHTS
#define {MACRO}_WEIGHTS __attribute__((section(".data.tvmgen_weights")))
#endif

"""


def print_internal_header(
    names: Names, program: Program, functions: Mapping[str, CFunction]
) -> str:
    """Return the text of ``tvmgen_<model>_internal.h``."""
    kernels = "\n".join(f"{f.prototype(names.symbol(name))};" for name, f in functions.items())
    constants = "\n".join(f"extern {_declaration(names, n, v)};" for n, v in _constants(program))
    guard = f"{names.macro}_INTERNAL_H"
    return (
        f"#ifndef {guard}\n#define {guard}\n\n"
        f"#include <stdint.h>\n\n{kernels}\n\n{constants}\n\n#endif\n"
    )


_LEVEL = """\
/* Whatever the build's flags: this was the best level when the kernels were tuned. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("{level}")
#endif

"""


_LONG_STRINGS = """\
/* Assembly of many instructions is one string, which Clang takes for a string of the program. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Woverlength-strings"
#endif

"""


def print_kernels(
    names: Names,
    functions: Mapping[str, CFunction],
    intrinsics: Mapping[str, Intrinsic],
    level: str = "",
) -> str:
    """Return the text of ``tvmgen_<model>_kernels.c``: intrinsics first, then what calls them.

    With a `level`, GCC optimises what is in the file at that level.
    """
    printed = "\n".join(f.definition(names.symbol(n)) for n, f in functions.items())
    headers = dict.fromkeys(h for i in intrinsics.values() for h in i.headers)
    included = "".join(f"#include <{header}>\n" for header in headers)
    bodies = "".join(map(print_intrinsic, intrinsics.values()))
    own = f'#include "tvm_embbert_arithmetic.h"\n#include "{names.prefix}_internal.h"\n'
    pragma = _LEVEL.format(level=level) if level else ""
    strings = _LONG_STRINGS if intrinsics else ""
    return f"{included}{own}\n{strings}{pragma}{bodies}{printed}"


def print_weights(names: Names, program: Program, in_ram: bool = False) -> str:
    """Return the text of ``tvmgen_<model>_weights.c``."""
    placed = f"{names.macro}_WEIGHTS " if in_ram else ""
    arrays = "\n".join(
        f"{placed}{_declaration(names, name, value)} = {{\n{_rows(value)}\n}};\n"
        for name, value in _constants(program)
    )
    section = _SECTION.format(MACRO=names.macro) if in_ram else ""
    return f'#include "{names.prefix}_internal.h"\n\n{section}{arrays}'


def _constants(program: Program) -> Iterator[tuple[str, Array]]:
    yield from program.constants.items()


def _declaration(names: Names, name: str, value: Array) -> str:
    return f"const {C_TYPES[str(value.dtype)]} {names.symbol(name)}[{value.size}]"


def _rows(value: Array) -> str:
    """Return the elements, as many a line as fit."""
    texts = [_literal(v) for v in value.reshape(-1).tolist()]
    per_line = max(1, (_WIDTH - 4) // (max(map(len, texts)) + 2))
    lines = (texts[i : i + per_line] for i in range(0, len(texts), per_line))
    return ",\n".join("    " + ", ".join(line) for line in lines)


def _literal(value: int) -> str:
    return "INT32_MIN" if value == np.iinfo(np.int32).min else str(value)
