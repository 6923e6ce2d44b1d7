"""Which calls share a record: those of the same operator over the same shapes and types."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from tvm_embbert.program.program import Program
from tvm_embbert.strategy.operator import IntegerCall, Tensor


def signature(call: IntegerCall) -> str:
    """Return what a kernel's speed depends on, readable and stable.

    Shapes and element types of inputs, constants and result, and attributes in words; neither
    values nor names. An example: ``int8[n,128] int8[128,128] int32[128] -> int8[n,128]``.
    """
    parts = [text for text in map(_part, call.args) if text]
    return f"{' '.join(parts)} -> {_typed(call.output.dtype, call.output.shape)}"


def program_key(program: Program, length: int) -> str:
    """Return what tells programs apart whose loops were tuned: kernels, calls and length."""
    calls = [f"{s.choice.implementation.name} {signature(s.choice.call)}" for s in program.steps]
    digest = hashlib.sha256("\n".join(calls).encode()).hexdigest()[:16]
    return f"{len(calls)} steps, {length} tokens, {digest}"


def _part(argument: Any) -> str:
    if isinstance(argument, Tensor | np.ndarray):
        return _typed(str(argument.dtype), argument.shape)
    # Numbers are shifts and numerators: they reach the kernel as arguments.
    return argument if isinstance(argument, str) else ""


def _typed(dtype: str, shape: tuple[int | str, ...]) -> str:
    return f"{dtype}[{','.join(map(str, shape))}]"
