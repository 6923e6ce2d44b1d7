"""Functions of inline assembly: operands by name, clobbers as the text uses registers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tvm_embbert.strategy.kernels.intrinsic import Intrinsic

SUMS = ("r0", "r2", "r4", "r6", "r8", "r10", "r12", "lr")
"""The registers that VMLADAVA can add to."""
LANES = 16
"""Bytes of a vector."""


def intrinsic(
    name: str,
    parameters: Mapping[str, str],
    body: str,
    meaning: Any,
    dims: tuple[str, ...] = (),
) -> Intrinsic:
    """Return an intrinsic of the instruction set; see :func:`function` for its C."""
    c = function(name, parameters, body)
    return Intrinsic(name, c, meaning, dims, guard="__ARM_FEATURE_MVE")


def function(name: str, parameters: Mapping[str, str], body: str) -> str:
    """Return a static C function, never inlined: most of the registers are its own.

    Parameters
    ----------
    name : str
        Its name.
    parameters : mapping
        Name of each parameter to its type, as ``const int8_t *``.
    body : str
        Statements.
    """
    declared = ", ".join(f"{t}{'' if t.endswith('*') else ' '}{n}" for n, t in parameters.items())
    return f"__attribute__((noinline)) static void {name}({declared}) {{\n{body}}}"


def assembly(
    lines: Iterable[str],
    changed: Sequence[str],
    read: Mapping[str, str] | None = None,
    wide: Mapping[str, str] | None = None,
) -> str:
    """Return a statement of inline assembly; ``{x}`` in a line stands for the operand x.

    Parameters
    ----------
    lines : iterable of str
        Instructions and labels.
    changed : sequence of str
        C variables that the lines read and change.
    read : mapping, optional
        Operands that the lines only read: their C expressions.
    wide : mapping, optional
        Those that are kept in a vector register that the lines leave alone.
    """
    given, kept = dict(read or {}), dict(wide or {})
    text = [line.format(**{n: f"%[{n}]" for n in (*changed, *given, *kept)}) for line in lines]
    shown = "\n".join(f'      "{line}\\n\\t"' for line in text)
    low = _low(text)
    outputs = [f'[{n}] "+&{"l" if n in low else "r"}"({n})' for n in changed]
    inputs = [f'[{n}] "{"l" if n in low else "r"}"({e})' for n, e in given.items()]
    inputs += [f'[{n}] "t"({e})' for n, e in kept.items()]
    clobbers = [f'"{c}"' for c in [*_clobbers(text), "cc", "memory"]]
    lists = "".join(f"\n      : {', '.join(part)}" for part in (outputs, inputs, clobbers))
    return f"  __asm__ volatile(\n{shown}{lists});\n"


def sums_of(row: int) -> Sequence[str]:
    """Return the four sums of row 0 or 1."""
    return SUMS[4 * row : 4 * row + 4]


def interleaved(vector: str) -> Sequence[str]:
    """Return the steps that put 0, 4, 1, 5, 2, 6, 3, 7 in a vector's 16-bit lanes; r0 changes.

    That is the order in which two vectors of 32 bits are narrowed into one.
    """
    return (
        "mov r0, #0",
        f"vidup.u32 {vector}, r0, #1",
        "mov r0, #0x00010001",
        f"vmul.i32 {vector}, {vector}, r0",
        "mov r0, #0x00040000",
        f"vadd.i32 {vector}, {vector}, r0",
    )


def _low(lines: Iterable[str]) -> set[str]:
    """Return the operands that need one of r0 to r7: loads that widen, stores that narrow."""
    access = r"\bv(?:ld|st)r(?:bt?\.[us]?(?:16|32)|ht?\.[us]?32)[^\[]*\[%\[(\w+)\](?!, q)"
    return {name for line in lines for name in re.findall(access, line)}


def _clobbers(lines: Iterable[str]) -> list[str]:
    """Return the registers that the lines name, q registers for the halves too."""
    text = "\n".join(lines)
    general = set(re.findall(r"\b(?:r\d+|lr)\b", text))
    vectors = {int(n) for n in re.findall(r"\bq(\d)\b", text)}
    for first, last in re.findall(r"\bd(\d+)-d(\d+)\b", text):
        vectors |= set(range(int(first) // 2, int(last) // 2 + 1))
    ordered = sorted(general, key=lambda r: (len(r) - (r == "lr"), r))
    return [*ordered, *(f"q{v}" for v in sorted(vectors))]
