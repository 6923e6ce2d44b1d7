"""The integer arithmetic against exact integers and fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from tvm_embbert.errors import InputError
from tvm_embbert.quantize import arithmetic
from tvm_embbert.quantize.arithmetic import (
    EXP_ONE,
    EXP_STEP,
    INT32_MAX,
    NormGain,
    Requantization,
)

INT32 = [-(2**31), -(2**31) + 1, -(2**16), -3, -2, -1, 0, 1, 2, 3, 2**16, 2**30, INT32_MAX]
SCALES = [1e-9, 1e-5, 0.003, 0.1, 0.2499, 0.25, 0.4999, 0.5, 0.7, 1.0, 1.5, 7.3, 100.0, 2.0**13]


def random(seed=11):
    return np.random.default_rng(seed)


def random_int32(count, seed=0):
    rng = random(seed)
    bits = rng.integers(1, 32, count)
    signs = rng.choice([-1, 1], count)
    return [int(s * rng.integers(0, 2**b)) for s, b in zip(signs, bits, strict=True)]


def test_multiply_high_is_the_floor_of_the_exact_quotient():
    pairs = [(a, b) for a in INT32 for b in INT32]
    pairs += zip(random_int32(2000, 1), random_int32(2000, 2), strict=True)
    a, b = (np.array(column, np.int32) for column in zip(*pairs, strict=True))
    expected = [x * y // 2**32 for x, y in pairs]
    assert arithmetic.multiply_high(a, b).tolist() == expected


@pytest.mark.parametrize("shift", [0, 1, 2, 7, 15])
def test_rounding_offset_is_half_a_unit_of_the_result(shift):
    multipliers = [0, 1, 2, 3, 5, 2**16, 2**30, 2**30 + 1, INT32_MAX]
    multipliers += [abs(m) for m in random_int32(500)]
    exact = [min((2**31 // m) >> shift, 2**30) if m else 0 for m in multipliers]
    assert arithmetic.rounding_offset(np.array(multipliers), shift).tolist() == exact
    for multiplier, offset in zip(multipliers, exact, strict=True):
        if multiplier >= 2:
            half = Fraction(2**31, multiplier * 2**shift)
            assert 0 <= half - offset < 1


@pytest.mark.parametrize("scale", SCALES)
def test_requantization_represents_its_scale(scale):
    made = arithmetic.requantization(scale)
    (multiplier,) = made.multiplier.tolist()
    assert 0 <= multiplier <= INT32_MAX
    assert 0 <= made.shift <= 15
    error = abs(Fraction(multiplier * 2**made.shift, 2**32) - Fraction(scale))
    assert error <= Fraction(2**made.shift, 2**33)


def test_requantization_of_several_scales_shares_the_shift_of_the_largest():
    made = arithmetic.requantization(np.array([0.001, 3.0, 0.5]))
    assert made.shift == arithmetic.requantization(3.0).shift
    values = made.multiplier * 2.0 ** (made.shift - 32)
    np.testing.assert_allclose(values, [0.001, 3.0, 0.5], rtol=1e-5)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("scale", SCALES)
def test_requantize_rounds_to_nearest(scale, dtype):
    """Half a unit, and what half a unit loses when it is rounded down to whole accumulators."""
    made = arithmetic.requantization(scale)
    limits, offset = np.iinfo(dtype), int(made.offset()[0])
    reach = min(int(limits.max / scale) + 1, (INT32_MAX >> made.shift) - offset)
    accumulators = random().integers(-reach, reach + 1, 1000)
    result = arithmetic.requantize(accumulators + offset, made.multiplier, made.shift, dtype)
    assert result.dtype == dtype
    limit = Fraction(1, 2) + min(Fraction(scale), Fraction(1, 2))
    limit += Fraction(reach * 2**made.shift, 2**33)  # the multiplier's own rounding
    for accumulator, value in zip(accumulators.tolist(), result.tolist(), strict=True):
        exact = min(max(accumulator * Fraction(scale), limits.min), limits.max)
        assert abs(value - exact) <= limit


def test_requantize_follows_its_rule_exactly():
    rng = random()
    for multiplier, shift in zip(random_int32(300), rng.integers(0, 16, 300), strict=True):
        multiplier, shift = abs(multiplier), int(shift)
        reach = INT32_MAX >> shift
        accumulator = int(rng.integers(-reach, reach + 1))
        exact = ((accumulator << shift) * multiplier) >> 32
        result = arithmetic.requantize(np.array([accumulator]), multiplier, shift, "int16")
        assert result.tolist() == [min(max(exact, -(2**15)), 2**15 - 1)]


def test_check_refuses_accumulators_that_overflow():
    made = Requantization(np.array([2**30], np.int32), 4)
    room = (INT32_MAX >> 4) - int(made.offset()[0])
    made.check(room, "here")
    with pytest.raises(InputError, match="does not fit 32 bits") as caught:
        made.check(room + 1, "here")
    assert caught.value.where == "here"


def test_saturate_clips_to_the_type():
    values = np.array([-(2**31), -129, -128, 0, 127, 128, 2**31 - 1])
    assert arithmetic.saturate(values, "int8").tolist() == [-128, -128, -128, 0, 127, 127, 127]
    assert arithmetic.saturate(values, "int16").tolist() == [-32768, -129, -128, 0, 127, 128, 32767]


def test_integer_square_root_at_its_boundaries():
    roots = [*range(300), *(int(r) for r in random().integers(300, 2**16, 500)), 2**16 - 1]
    values = {0, 1, 2**32 - 1, 2**32 - 2}
    values |= {r * r + d for r in roots for d in (-1, 0, 1) if 0 <= r * r + d < 2**32}
    ordered = sorted(values)
    result = arithmetic.integer_square_root(np.array(ordered, np.uint64))
    assert result.tolist() == [math.isqrt(v) for v in ordered]


@pytest.mark.parametrize("value", [2.0**-15, 0.01, 0.9999999, 1.0, 11.3, 400.0, 2.0**13 * 0.9999])
def test_norm_gain_has_fifteen_bits(value):
    made = arithmetic.norm_gain(value)
    assert 2**14 <= made.gain < 2**15
    assert 1 <= made.shift <= 30
    assert made.gain / 2**made.shift == pytest.approx(value, rel=2**-14)


@pytest.mark.parametrize("value", [2.0**-17, 2.0**14])
def test_norm_gain_out_of_range(value):
    with pytest.raises(InputError, match="out of range"):
        arithmetic.norm_gain(value)


@pytest.mark.parametrize("low", [0, 10, 20, 30, 38, 46])
def test_norm_scale_is_the_gain_over_the_square_root(low):
    sums = [int(s) for s in random().integers(2**low, 2 ** (low + 1), 200)]
    sums += [2**low, 2**low + 1, 2 ** (low + 1) - 1]
    gain = NormGain(20000, 6)
    multiplier, shift = arithmetic.norm_scale(np.array(sums, np.uint64), gain)
    result = multiplier * 2.0 ** -shift.astype(np.float64)
    np.testing.assert_allclose(result, 20000 / 2**6 / np.sqrt(sums), rtol=2**-12)
    assert (multiplier >= 0).all()
    assert (multiplier <= 2**15).all()


ROWS = {
    "typical": random().normal(0, 3000, (200, 128)),
    "tiny": random().integers(-2, 3, (50, 128)),
    "saturated": random().choice([-32768, 32767], (20, 128)),
    "one spike": np.eye(128)[:20] * 32767,
    "one small spike": np.eye(128)[:20],
    "zeros": np.zeros((2, 128)),
    "one channel": random().integers(-32768, 32768, (50, 1)),
}


@pytest.mark.parametrize("epsilon", [1, 1000, 2**40])
@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS.keys())
def test_normalize_is_within_a_unit(rows, epsilon):
    x = np.clip(np.rint(rows), -32768, 32767).astype(np.int16)
    gain = arithmetic.norm_gain(math.sqrt(x.shape[1]) / 0.03)
    result = arithmetic.normalize(x, epsilon, gain)
    wide = x.astype(np.float64)
    root = np.sqrt((wide**2).sum(-1, keepdims=True) + epsilon)
    exact = np.clip(wide * gain.gain / 2.0**gain.shift / root, -128, 127)
    assert result.dtype == np.int8
    assert np.abs(result - exact).max() <= 0.51


def test_normalize_of_zeros_is_zero():
    assert not arithmetic.normalize(np.zeros((3, 8), np.int16), 1, NormGain(2**14, 1)).any()


def test_exponential_table_is_the_rounded_exponential():
    table = arithmetic.exponential_table()
    exact = EXP_ONE * np.exp(-np.arange(256) * EXP_STEP)
    assert table.dtype == np.int8
    assert table[0] == EXP_ONE
    assert table[255] == 0
    assert np.abs(table[:255] - exact[:255]).max() <= 0.5
    assert (np.diff(table.astype(int)) <= 0).all()
    assert exact[254] >= 0.5


@pytest.mark.parametrize("ratio", [2.0**-12, 0.01, 0.499, 0.5, 0.8, 1.0, 3.7, 2000.0])
@pytest.mark.parametrize("total", [127, 128, 1000, 127 * 256])
def test_reciprocal_divides_by_a_sum(ratio, total):
    made = arithmetic.reciprocal(ratio)
    assert 0 < made.numerator <= INT32_MAX
    inverse = made.numerator // total
    exact = Fraction(ratio) / total
    error = abs(Fraction(inverse * 2**made.shift, 2**32) - exact)
    assert error <= Fraction(2**made.shift, 2**32) * (1 + Fraction(1, 2 * total))


FUNCTIONS = {
    "silu": arithmetic.silu,
    "tanh": math.tanh,
    "relu": lambda x: max(x, 0.0),
    "positive": math.exp,
    "negative": lambda x: -abs(x),
    "zero": lambda x: 0.0,
}


@pytest.mark.parametrize("input_scale", [1e-4, 0.01, 0.06])
@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_lookup_table_is_within_half_a_unit(function, input_scale):
    made = arithmetic.lookup_table(function, input_scale)
    exact = np.array([function(i * input_scale) for i in range(-128, 128)])
    assert made.table.shape == (256,)
    assert made.table.dtype == np.int8
    assert -128 <= made.zero_point <= 127
    meant = (made.table.astype(int) - made.zero_point) * made.scale
    assert np.abs(meant - exact).max() <= made.scale * 1.001
    inside = (made.table > -128) & (made.table < 127)
    assert np.abs(meant - exact)[inside].max(initial=0) <= made.scale * 0.501


def test_lookup_table_uses_all_bits():
    made = arithmetic.lookup_table(math.tanh, 0.05)
    assert (made.table.min(), made.table.max()) == (-128, 127)


def test_silu_does_not_overflow():
    assert arithmetic.silu(-1e6) == 0.0
    assert arithmetic.silu(1e6) == 1e6
