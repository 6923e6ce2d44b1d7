"""The integer arithmetic: its one definition.

The reference (NumPy), the C of every instruction set (``runtime/include/tvm_embbert_arithmetic.h``)
and the tests follow this page, so that every target gives the same bytes.

Requantisation is a multiplication that keeps the high 32 bits of 64, rounding down. It is one
instruction on Armv7E-M (SMMUL), Armv8.1-M MVE (VMULH), RV32M (MULH) and RVV (VMULH). Half a unit of
the result, expressed in units of the accumulator, is added to the bias when the model is compiled
(:func:`rounding_offset`), so that rounding to nearest costs no instruction at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tvm_embbert.errors import InputError

Int = NDArray[Any]
Float = NDArray[np.float64]

INT8_MIN, INT8_MAX = -128, 127
INT16_MIN, INT16_MAX = -(2**15), 2**15 - 1
INT32_MAX = 2**31 - 1
EXP_ONE = 127
"""The largest entry of the table of exponentials: it stands for ``exp(0)``."""
EXP_STEP = math.log(2 * EXP_ONE) / 255
"""Distance between two entries; the last one but one still rounds to 1 or 0.5."""
GAIN_BITS = 15
"""Significant bits of the normalisation's multipliers."""


def multiply_high(a: Int, b: Int) -> Int:
    """Return ``floor(a * b / 2**32)`` for int32 arrays; int32."""
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    return (product >> 32).astype(np.int32)


def saturate(x: Int, dtype: str) -> Int:
    """Clip an int32 array to int8 or int16."""
    limits = np.iinfo(dtype)
    return np.clip(x, limits.min, limits.max).astype(dtype)


@dataclass(frozen=True)
class Requantization:
    """Multiplication by a real scale: ``floor((acc << shift) * multiplier / 2**32)``.

    Attributes
    ----------
    multiplier : int32 array
        One value, or one for each output channel; 0 to 2**31 - 1.
    shift : int
        Bits that the accumulator is shifted left first, 0 to 16.
    """

    multiplier: Int
    shift: int

    def offset(self) -> Int:
        """Return half a unit of the result in units of the accumulator, int32."""
        return rounding_offset(self.multiplier, self.shift)

    def check(self, largest: int, where: str) -> None:
        """Raise :class:`InputError` if an accumulator of magnitude `largest` would overflow."""
        if (largest + int(self.offset().max(initial=0))) << self.shift > INT32_MAX:
            raise InputError(
                f"An accumulator of up to {largest} does not fit 32 bits.",
                where=where,
                supported="products whose scale is well below one, as trained networks have",
                hint="Check the calibration text: its ranges may be far too small.",
            )


def rounding_offset(multiplier: Int, shift: int) -> Int:
    """Return ``(2**31 // multiplier) >> shift``; 0 where the multiplier is 0."""
    safe = np.maximum(np.asarray(multiplier, np.int64), 1)
    offset = (2**31 // safe) >> shift
    return np.where(np.asarray(multiplier) > 0, np.minimum(offset, 2**30), 0).astype(np.int32)


def requantization(scale: Float | float) -> Requantization:
    """Return the multiplication by `scale` (positive reals, below 2**15)."""
    scales = np.atleast_1d(np.asarray(scale, np.float64))
    largest = float(scales.max())
    shift = max(0, math.frexp(largest)[1] + 1) if largest > 0 else 0
    multiplier = np.minimum(np.rint(scales * 2.0 ** (32 - shift)), INT32_MAX)
    return Requantization(multiplier.astype(np.int32), shift)


def requantize(accumulator: Int, multiplier: Int, shift: int, dtype: str) -> Int:
    """Scale int32 accumulators, whose bias holds the rounding offset, to int8 or int16."""
    shifted = (np.asarray(accumulator, np.int64) << shift).astype(np.int32)
    return saturate(multiply_high(shifted, multiplier), dtype)


def exponential_table() -> Int:
    """Return ``127 * exp(-i * EXP_STEP)`` for i in 0 to 255, int8; the last entry is 0."""
    table = np.array([round(EXP_ONE * math.exp(-i * EXP_STEP)) for i in range(256)], np.int8)
    table[255] = 0
    return table


@dataclass(frozen=True)
class Reciprocal:
    """A positive real ratio r as ``numerator / 2**(32 - shift)``, to be divided by a row's sum.

    ``floor((acc << shift) * (numerator // sum) / 2**32)`` is about ``acc * r / sum``.
    """

    numerator: int
    shift: int


def reciprocal(ratio: float) -> Reciprocal:
    """Return the numerator (below 2**31) and shift (0 to 16) for a real `ratio`."""
    shift = max(0, math.frexp(ratio)[1] + 1)
    return Reciprocal(min(round(ratio * 2.0 ** (32 - shift)), INT32_MAX), shift)


def integer_square_root(x: Int) -> Int:
    """Return ``floor(sqrt(x))`` for uint32 values below 2**32."""
    values = np.asarray(x, np.uint64)
    root = np.floor(np.sqrt(values.astype(np.float64))).astype(np.uint64)
    root -= (root * root > values).astype(np.uint64)
    root += ((root + 1) * (root + 1) <= values).astype(np.uint64)
    return root


@dataclass(frozen=True)
class NormGain:
    """``sqrt(channels) / output_scale`` as ``gain / 2**shift`` with gain in 2**14 to 2**15 - 1."""

    gain: int
    shift: int


def norm_gain(value: float) -> NormGain:
    """Return the fixed-point form of a real gain between 2**-15 and 2**13."""
    shift = GAIN_BITS - math.frexp(value)[1]
    gain = min(round(value * 2.0**shift), 2**GAIN_BITS - 1)
    if not 1 <= shift <= 30:
        raise InputError(
            f"A normalisation gain of {value} is out of range.",
            where="rms_norm",
            supported="gains between 2**-15 and 2**13",
        )
    return NormGain(gain, shift)


def norm_scale(sum_of_squares: Int, gain: NormGain) -> tuple[Int, Int]:
    """Return (multiplier, shift) so that ``x * multiplier >> shift`` normalises a row.

    Parameters
    ----------
    sum_of_squares : uint64 array
        Sum of squares of each row, epsilon included; at least 1 and below 2**47.

    Notes
    -----
    The sum is brought to ``t * 4**e`` with t in 2**30 to 2**32 - 1; the reciprocal square root of
    t is ``2**31 // isqrt(t)``, which has 15 significant bits.
    """
    sums = np.asarray(sum_of_squares, np.uint64)
    bits = np.array([int(s).bit_length() for s in sums.reshape(-1)]).reshape(sums.shape)
    exponent = (bits - 32) + ((bits - 32) & 1)
    down = np.maximum(exponent, 0).astype(np.uint64)
    up = np.maximum(-exponent, 0).astype(np.uint64)
    root = integer_square_root((sums >> down) << up)
    inverse = (2**31 // root.astype(np.int64)).astype(np.int64)
    multiplier = ((gain.gain * inverse) >> 16).astype(np.int32)
    return multiplier, (gain.shift + GAIN_BITS + exponent // 2).astype(np.int32)


def normalize(x: Int, epsilon: int, gain: NormGain) -> Int:
    """Return int16 rows (n, channels) divided by their root mean square, int8.

    ``(x * multiplier + (1 << (shift - 1))) >> shift``, saturated; `epsilon` is in units of the
    sum of squares.
    """
    wide = np.asarray(x, np.int64)
    sums = (wide * wide).sum(-1, keepdims=True) + epsilon
    multiplier, shift = norm_scale(sums, gain)
    rounded = (wide * multiplier + (np.int64(1) << (shift.astype(np.int64) - 1))) >> shift
    return saturate(rounded, "int8")


@dataclass(frozen=True, eq=False)
class LookupTable:
    """A real function of one int8 tensor: entry ``x + 128`` stands for input x.

    The entry q means ``(q - zero_point) * scale``.
    """

    table: Int
    scale: float
    zero_point: int


def lookup_table(
    function: Callable[[float], float], input_scale: float, symmetric: bool = False
) -> LookupTable:
    """Tabulate a function for inputs -128 to 127, its own range spread over all 256 values.

    With `symmetric` the zero point is 0, for readers that take no other, and a function of one sign
    uses half of the values.
    """
    values = [function(i * input_scale) for i in range(INT8_MIN, INT8_MAX + 1)]
    low, high = min(0.0, *values), max(0.0, *values)
    if symmetric:
        scale, zero_point = max(-low, high) / INT8_MAX or 1.0, 0
    else:
        scale = (high - low) / 255 or 1.0
        zero_point = INT8_MIN - math.floor(low / scale + 0.5)
    entries = [math.floor(v / scale + 0.5) + zero_point for v in values]
    return LookupTable(saturate(np.array(entries), "int8"), scale, zero_point)


def silu(x: float) -> float:
    """Return ``x / (1 + exp(-x))``."""
    return x / (1.0 + math.exp(-x)) if x > -700 else 0.0
