"""``tvm_embbert_arithmetic.h`` against the Python definition, byte for byte."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tvm_embbert.measure.sources import RUNTIME
from tvm_embbert.measure.toolchain import COMMON_FLAGS, WARNINGS, host_compiler
from tvm_embbert.quantize import arithmetic
from tvm_embbert.quantize.arithmetic import INT32_MAX, NormGain

pytestmark = pytest.mark.host

COUNT = 20_000
SEED = 5
TYPES = {"a": "int32_t", "u": "uint32_t", "l": "int64_t", "b": "int8_t", "s": "int16_t"}
NUMPY = {"a": np.int32, "u": np.uint32, "l": np.int64, "b": np.int8, "s": np.int16}
SIGNATURES = {
    "min": "aaa",
    "max": "aaa",
    "multiply_high": "aaa",
    "shift_left": "aaa",
    "round_shift": "aaa",
    "saturate_int8": "ba",
    "saturate_int16": "sa",
    "rounding_offset": "aaa",
    "integer_square_root": "uu",
    "norm_exponent": "al",
    "norm_multiplier": "ala",
    "norm_shift": "ala",
}
"""Function: the types of its result and its arguments."""


def _wrapper(name: str) -> str:
    result, *arguments = SIGNATURES[name]
    pointers = ", ".join(f"const {TYPES[t]} *x{i}" for i, t in enumerate(arguments))
    values = ", ".join(f"x{i}[k]" for i in range(len(arguments)))
    return (
        f"void each_{name}(int32_t n, {TYPES[result]} *out, {pointers}) {{\n"
        f"  for (int32_t k = 0; k < n; ++k) out[k] = te_{name}({values});\n}}\n"
    )


@pytest.fixture(scope="module")
def c_function(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Return a function that applies a function of the header to arrays."""
    folder = tmp_path_factory.mktemp("arithmetic")
    source, library = folder / "wrapper.c", folder / "wrapper.so"
    bodies = "".join(map(_wrapper, SIGNATURES))
    source.write_text(f'#include "tvm_embbert_arithmetic.h"\n{bodies}')
    flags = [*COMMON_FLAGS, *WARNINGS, f"-I{RUNTIME / 'include'}", "-shared", "-fPIC"]
    command = [host_compiler().program, *flags, str(source), "-o", str(library)]
    subprocess.run(command, check=True)
    loaded = ctypes.CDLL(str(library))

    def apply(name: str, *arguments: Any) -> np.ndarray:
        result, *types = SIGNATURES[name]
        arrays = np.broadcast_arrays(*arguments)
        inputs = [np.array(a, NUMPY[t]) for a, t in zip(arrays, types, strict=True)]
        out = np.zeros(len(inputs[0]), NUMPY[result])
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in (out, *inputs)]
        getattr(loaded, f"each_{name}")(len(out), *pointers)
        return out

    return apply


def numbers(low: int, high: int) -> np.ndarray:
    """Return numbers of all sizes in a range, with its ends and those around powers of two."""
    rng = np.random.default_rng(SEED)
    powers = np.array([s * 2**b + d for b in range(63) for s in (-1, 1) for d in (-1, 0, 1)])
    logarithmic = np.exp(rng.uniform(0, np.log(max(high, 2)), COUNT)).astype(np.int64)
    uniform = rng.integers(low, high, COUNT, endpoint=True)
    found = np.concatenate([powers, [low, high], logarithmic, -logarithmic, uniform])
    return found[(found >= low) & (found <= high)]


def pairs(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pair numbers at random, and the ends of both ranges with each other."""
    rng = np.random.default_rng(SEED)
    ends = np.array([[a, b] for a in _ends(first) for b in _ends(second)])
    drawn = np.stack([rng.choice(first, COUNT), rng.choice(second, COUNT)], 1)
    both = np.concatenate([ends, drawn])
    return both[:, 0], both[:, 1]


def _ends(values: np.ndarray) -> np.ndarray:
    return np.unique([values.min(), values.max(), *(v for v in (-1, 0, 1, 2) if v in values)])


INT32 = numbers(-(2**31), INT32_MAX)
MULTIPLIERS = numbers(0, INT32_MAX)


def test_header_has_no_other_function():
    text = (RUNTIME / "include" / "tvm_embbert_arithmetic.h").read_text()
    defined = [
        word.split("(")[0] for word in text.split() if word.startswith("te_") and "(" in word
    ]
    assert set(defined) == {f"te_{name}" for name in SIGNATURES}


@pytest.mark.parametrize(("name", "function"), [("min", np.minimum), ("max", np.maximum)])
def test_smaller_and_larger(c_function, name, function):
    a, b = pairs(INT32, INT32)
    np.testing.assert_array_equal(c_function(name, a, b), function(a, b))


def test_multiply_high(c_function):
    a, b = pairs(INT32, INT32)
    expected = arithmetic.multiply_high(a, b)
    np.testing.assert_array_equal(c_function("multiply_high", a, b), expected)


@pytest.mark.parametrize("bits", range(16))
def test_shift_left(c_function, bits):
    a = numbers(-(2**31) >> bits, INT32_MAX >> bits)
    np.testing.assert_array_equal(c_function("shift_left", a, bits), a << bits)


@pytest.mark.parametrize("bits", range(1, 31))
def test_round_shift(c_function, bits):
    a = numbers(-(2**30), 2**30)
    expected = np.floor_divide(a + 2 ** (bits - 1), 2**bits)
    np.testing.assert_array_equal(c_function("round_shift", a, bits), expected)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_saturate(c_function, dtype):
    expected = arithmetic.saturate(INT32, dtype)
    np.testing.assert_array_equal(c_function(f"saturate_{dtype}", INT32), expected)


@pytest.mark.parametrize("shift", range(16))
def test_rounding_offset(c_function, shift):
    expected = arithmetic.rounding_offset(MULTIPLIERS, shift)
    result = c_function("rounding_offset", MULTIPLIERS, shift)
    wrong = np.flatnonzero(result != expected)
    assert not len(wrong), f"multipliers {np.unique(MULTIPLIERS[wrong])[:5]}, shift {shift}"


def test_integer_square_root(c_function):
    roots = np.arange(2**16, dtype=np.int64) ** 2
    x = np.concatenate([numbers(0, 2**32 - 1), roots, roots[1:] - 1, roots + 1])
    expected = arithmetic.integer_square_root(x)
    np.testing.assert_array_equal(c_function("integer_square_root", x), expected)


@pytest.mark.parametrize("gain", [NormGain(2**14, 1), NormGain(23170, 7), NormGain(2**15 - 1, 15)])
def test_norm_scale(c_function, gain):
    sums = numbers(1, 2**47)
    multiplier, shift = arithmetic.norm_scale(sums, gain)
    np.testing.assert_array_equal(c_function("norm_multiplier", sums, gain.gain), multiplier)
    np.testing.assert_array_equal(c_function("norm_shift", sums, gain.shift), shift)


def test_norm_exponent_is_even_and_leaves_two_free_bits_at_most(c_function):
    sums = numbers(1, 2**47)
    exponent = c_function("norm_exponent", sums).astype(np.int64)
    assert not (exponent % 2).any()
    scaled = sums.astype(np.float64) * 2.0**-exponent
    assert scaled.min() >= 2**30
    assert scaled.max() < 2**32
