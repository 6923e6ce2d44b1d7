"""What a kernel's declared shapes say: which arguments go by rows, and which are read whole.

A kernel declares its tensors over symbolic dimensions. One over ``rows`` first is touched at the
rows that are computed; one over ``before + rows`` also at rows in front of these; any other may be
touched anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from tvm_embbert import compat
from tvm_embbert.program.program import Access, Argument

ROWS, BEFORE = "rows", "before"


def parameter_shapes(prim_func: Any) -> list[tuple[Any, ...]]:
    """Return the declared shape of each parameter, empty for a scalar."""
    return [compat.parameter_shape(p) for p in prim_func.params]


def argument(kind: str, value: str | int, shape: Sequence[Any]) -> Argument:
    """Return an argument for a parameter that is declared with a shape."""
    access = access_of(shape)
    if access is Access.WHOLE:
        return Argument(kind, value)
    return Argument(kind, value, access, row_elements(shape))


def access_of(shape: Sequence[Any]) -> Access:
    """Return the access that a declared shape stands for."""
    names = compat.variable_names(shape[0]) if shape else set()
    if names == {ROWS}:
        return Access.ROWS
    return Access.WINDOW if names == {BEFORE, ROWS} else Access.WHOLE


def row_elements(shape: Sequence[Any]) -> int:
    """Return the elements of a row; 0 where that depends on the input's length."""
    fixed = [compat.integer(d) for d in shape[1:]]
    return prod(d for d in fixed if d is not None) if None not in fixed else 0
