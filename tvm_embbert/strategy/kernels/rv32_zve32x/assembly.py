"""Functions of inline assembly: operands by name, clobbers as the text uses registers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tvm_embbert.strategy.kernels.intrinsic import Intrinsic

GUARD = "__riscv_zve32x"
"""What compilers define for cores with the extension."""


def intrinsic(
    name: str, parameters: Mapping[str, str], body: str, meaning: Any, dims: Sequence[str] = ()
) -> Intrinsic:
    """Return an intrinsic whose C may change any vector register, as every function may.

    No caller is compiled by what it sees inside: GCC would find no word of vector registers there.

    Parameters
    ----------
    name : str
        Its name.
    parameters : mapping
        Name of each parameter to its type, as ``const int8_t *``.
    body : str
        Statements.
    meaning : PrimFunc
        What it computes.
    dims : sequence of str
        Names of the meaning's symbolic dimensions.
    """
    declared = ", ".join(f"{t}{'' if t.endswith('*') else ' '}{n}" for n, t in parameters.items())
    c = f"TE_VECTOR_FUNCTION static void {name}({declared}) {{\n{body}}}"
    return Intrinsic(name, c, meaning, tuple(dims), guard=GUARD)


def assembly(
    lines: Iterable[str], changed: Sequence[str], read: Mapping[str, str] | None = None
) -> str:
    """Return a statement of inline assembly; ``{x}`` in a line stands for the operand x.

    GCC 12 knows no vector registers, not even as clobbers, and never uses any; see
    :func:`intrinsic`. Clang does both: a macro of the arithmetic's header names them to it.

    Parameters
    ----------
    lines : iterable of str
        Instructions and labels.
    changed : sequence of str
        C variables that the lines read and change.
    read : mapping, optional
        Operands that the lines only read: their C expressions.
    """
    given = dict(read or {})
    text = [line.format(**{n: f"%[{n}]" for n in (*changed, *given)}) for line in lines]
    shown = "\n".join(f'      "{line}\\n\\t"' for line in text)
    outputs = [f'[{n}] "+&r"({n})' for n in changed]
    inputs = [f'[{n}] "r"({e})' for n, e in given.items()]
    general = sorted(set(re.findall(r"\bt\d\b", "\n".join(text))))
    parts = (outputs, inputs, [f'"{c}"' for c in [*general, "memory"]])
    lists = "".join(f"\n      : {', '.join(part)}" for part in parts)
    return f"  __asm__ volatile(\n{shown}{lists} TE_VECTOR_CLOBBERS);\n"


def narrowed(source: int, target: int, dtype: str) -> Iterator[str]:
    """Yield the saturation of a group of eight registers of 32 bits to int8 or int16.

    The group `source` is overwritten. The vector type is left for the elements of `target`.
    """
    yield "vsetvli zero, zero, e16, m4, ta, ma"
    if dtype == "int16":
        yield f"vnclip.wi v{target}, v{source}, 0"
        return
    yield f"vnclip.wi v{source}, v{source}, 0"
    yield "vsetvli zero, zero, e8, m2, ta, ma"
    yield f"vnclip.wi v{target}, v{source}, 0"
