"""Intrinsics in the emitted C: an instruction set's own code, and what it means for other cores.

The meaning lets the library run on the machine that compiles it, under its sanitizers.
"""

from __future__ import annotations

import re

from tvm_embbert.codegen.c_printer import print_c
from tvm_embbert.program.lower_tir import lower_tir
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic


def print_intrinsic(intrinsic: Intrinsic) -> str:
    """Return the definition, beside that of the meaning where not every compiler takes it."""
    own, taken = intrinsic.c.strip(), _taken(intrinsic)
    if not taken:
        return f"{own}\n\n"
    return f"#if {taken}\n{own}\n#else\n{_print_meaning(intrinsic)}#endif\n\n"


def _taken(intrinsic: Intrinsic) -> str:
    """Return the condition on which compilers take the C, or the empty string."""
    conditions = [f"defined({intrinsic.guard})"] if intrinsic.guard else []
    # Clang passes itself off as GCC.
    conditions += ["defined(__GNUC__)", "!defined(__clang__)"] if intrinsic.gcc else []
    return " && ".join(conditions)


def _print_meaning(intrinsic: Intrinsic) -> str:
    """Print the meaning as C, its dimensions in the order that callers pass them.

    Pointers come as pointers to anything, as the instruction set's own code takes them: weights
    that are packed for it may have other elements than they mean.
    """
    # Callers may pass the same memory twice.
    printed = print_c(lower_tir(intrinsic.meaning), restrict=False)
    given = printed.parameters[: len(printed.parameters) - len(printed.dims)]
    taken = [_POINTER.sub(r"\1void *\3_given", parameter) for parameter in given]
    typed = "".join(_POINTER.sub(r"  \1\2 *\3 = \3_given;\n", p) for p in given if "*" in p)
    parameters = ", ".join([*taken, *(f"int32_t {d}" for d in intrinsic.dims)])
    unused = "".join(f"  (void){d};\n" for d in intrinsic.dims if d not in printed.dims)
    return f"static void {intrinsic.name}({parameters}) {{\n{unused}{typed}{printed.body}}}\n"


_POINTER = re.compile(r"^(const )?(\w+) \*(\w+)$")
