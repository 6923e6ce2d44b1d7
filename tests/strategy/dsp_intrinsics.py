"""Random calls of the intrinsics of the DSP extension, to be compared with their meanings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from random_cases import INT32_MAX, Rng, pick, values

from tvm_embbert.strategy.kernels.armv7e_m_dsp.matrix import (
    UNROLLED,
    MatrixForm,
    interleave,
    matrix,
)
from tvm_embbert.strategy.kernels.armv7e_m_dsp.widen import groups_of, widen
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic

Call = tuple[Intrinsic, list[Any], dict[str, int]]


def _widen(rng: Rng) -> Iterator[Call]:
    for dtype in ("int8", "int16"):
        rows, width = pick(rng, (1, 2, 3, 4)), pick(rng, (1, 2, 3, 4, 7, 8, 15, 16, 33, 128))
        wide = values(rng, (groups_of(width), 2, 4, 2), "int16")
        x = values(rng, (rows, width), dtype)
        yield widen(dtype), [x, wide], {"rows": rows, "width": width}


def _matrix(rng: Rng) -> Iterator[Call]:
    for form in (
        MatrixForm("int8", True, False),
        MatrixForm("int16", False, False),
        MatrixForm("int16", True, True),
        MatrixForm("int8", False, True),
    ):
        rows, outputs = pick(rng, (1, 2, 3, 4)), pick(rng, (1, 2, 3, 7, 8))
        pairs, even = UNROLLED * pick(rng, (1, 2, 5)), outputs + outputs % 2
        wide = values(rng, (pairs, 4, 2), "int8").astype(np.int16)
        wide[:, rows:] = wide[:, rows - 1 : rows]
        weight = np.maximum(values(rng, (even, 2 * pairs), "int8"), -127 if form.split else -128)
        indices = 3 if form.indexed else 1
        bias = rng.integers(-(2**20), 2**20, (indices, even)).astype(np.int32)
        multiplier = rng.integers(0, INT32_MAX >> pick(rng, (0, 8)), even).astype(np.int32)
        arrays = [interleave(weight, form.split), bias, multiplier, pick(rng, (0, 1, 4))]
        index = [rng.integers(0, indices, rows).astype(np.int32)] if form.indexed else []
        result = values(rng, (rows, outputs), form.dtype)
        dims = {"pairs": pairs, "outputs": outputs, "rows": rows, "indices": indices}
        yield matrix(form), [wide, *index, *arrays, result], dims


INTRINSICS: dict[str, tuple[Callable[[Rng], Iterator[Call]], int]] = {
    "widen": (_widen, 20),
    "matrix": (_matrix, 15),
}
"""Name of a generator: the generator, and how often it is drawn from."""
