"""Random calls of operators in the forms that the kernels of the DSP extension take."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from kernel_bench import Case
from random_cases import Form, Rng, case_of, linear

Generate = Callable[[int], Iterator[Case]]


def _drawn(name: str, make: Callable[[Rng], Form], forms: int, count: int, part: int):
    """Yield `count` cases of each of some forms; each part draws others."""
    for number in range(forms):
        seed = [zlib.crc32(name.encode()), part, number]
        call, draw = make(np.random.default_rng(seed))
        for index in range(count):
            yield case_of(call, draw, seed, index)


def _linear(part: int) -> Iterator[Case]:
    """Yield cases; every other with weights as the quantiser makes them, -127 at least."""
    for number, case in enumerate(_drawn("linear", linear, 50, 4, part)):
        yield case if number % 2 else _with_args(case, [_symmetric(a) for a in case.args])


def _symmetric(value: object) -> object:
    weight = isinstance(value, np.ndarray) and value.dtype == np.int8 and value.ndim == 2
    return np.maximum(value, -127) if weight else value


def _with_args(case: Case, args: list[object]) -> Case:
    call = case.call
    constants = [
        new if isinstance(old, np.ndarray) else old
        for old, new in zip(call.args, args, strict=True)
    ]
    return replace(case, call=replace(call, args=tuple(constants)), args=tuple(args))


DSP_CASES: dict[str, tuple[Generate, int]] = {
    "linear": (_linear, 200),
}
"""Operator: its cases, and how many the kernels must take at least."""
