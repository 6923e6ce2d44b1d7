"""Intrinsics in the emitted C: an instruction set's own code, and what it means for other cores.

The meaning lets the library run on the machine that compiles it, under its sanitizers.
"""

from __future__ import annotations

from tvm_embbert.codegen.c_printer import print_c
from tvm_embbert.program.lower_tir import lower_tir
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic


def print_intrinsic(intrinsic: Intrinsic) -> str:
    """Return the definition, beside that of the meaning where the first has a guard."""
    own = intrinsic.c.strip()
    if not intrinsic.guard:
        return f"{own}\n\n"
    return f"#ifdef {intrinsic.guard}\n{own}\n#else\n{_print_meaning(intrinsic)}#endif\n\n"


def _print_meaning(intrinsic: Intrinsic) -> str:
    """Print the meaning as C, its dimensions in the order that callers pass them."""
    # Callers may pass the same memory twice.
    printed = print_c(lower_tir(intrinsic.meaning), restrict=False)
    buffers = printed.parameters[: len(printed.parameters) - len(printed.dims)]
    parameters = ", ".join([*buffers, *(f"int32_t {d}" for d in intrinsic.dims)])
    unused = "".join(f"  (void){d};\n" for d in intrinsic.dims if d not in printed.dims)
    return f"static void {intrinsic.name}({parameters}) {{\n{unused}{printed.body}}}\n"
