"""The integer arithmetic as TIR: calls of the functions in ``tvm_embbert_arithmetic.h``.

They stay calls, so that TIR's simplifier does not take them apart; the C compiler inlines them.
See :mod:`tvm_embbert.quantize.arithmetic` for what they mean.
"""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

Expr = Any


def call(dtype: str, name: str, *args: Expr) -> Expr:
    """Call a function of ``tvm_embbert_arithmetic.h``."""
    return T.call_extern(dtype, f"te_{name}", *args)


def multiply_high(a: Expr, b: Expr) -> Expr:
    """Return the high 32 bits of a signed 64-bit product, int32."""
    return call("int32", "multiply_high", a, b)


def shift_left(a: Expr, bits: int) -> Expr:
    """Return int32 `a` times ``2**bits``."""
    return a if bits == 0 else call("int32", "shift_left", a, bits)


def saturate(a: Expr, dtype: str) -> Expr:
    """Clip int32 to int8 or int16."""
    return call(dtype, f"saturate_{dtype}", a)


def requantize(accumulator: Expr, multiplier: Expr, shift: int, dtype: str) -> Expr:
    """Scale an int32 accumulator, which holds the rounding offset, to int8 or int16."""
    return saturate(multiply_high(shift_left(accumulator, shift), multiplier), dtype)


def widened(value: Expr) -> Expr:
    """Return an int8 or int16 element as int32."""
    return T.Cast("int32", value)


def tile_of(size: int, largest: int = 8) -> int:
    """Return the largest power of two up to `largest` that divides `size`.

    Eight sums, two pointers and two operands just fit the registers of a Cortex-M.
    """
    return next(t for t in (8, 4, 2, 1) if t <= largest and size % t == 0)
