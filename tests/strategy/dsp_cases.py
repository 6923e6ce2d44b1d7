"""Random calls of operators in the forms that the kernels of the DSP extension take."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from kernel_bench import Case
from random_cases import (
    SIZES,
    Form,
    Rng,
    attention,
    case_of,
    causal_convolution,
    linear,
    lookup,
    rms_norm,
)

WIDTHS = (4, 8, 12, 16, 20, 32, 64, 128, 132, 260)
EVEN = (2, 4, 6, 14, 32, 34, 128)
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


def _attention(part: int) -> Iterator[Case]:
    """Yield cases in widths of whole words, with tables that end with 0."""
    for case in _drawn("attention", partial(attention, widths=WIDTHS), 50, 6, part):
        yield _with_args(case, [_ended(a) for a in case.args])


def _ended(value: object) -> object:
    is_table = isinstance(value, np.ndarray) and value.dtype == np.int8 and value.shape == (256,)
    return np.append(value[:-1], np.int8(0)) if is_table else value


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


def _convolution(part: int) -> Iterator[Case]:
    """Yield cases, of one filter a channel mostly."""
    yield from _drawn("convolution", partial(causal_convolution, widths=EVEN), 50, 4, part)


def _norm(part: int) -> Iterator[Case]:
    yield from _drawn("norm", partial(rms_norm, widths=(*SIZES, *WIDTHS)), 25, 4, part)


def _lookup(part: int) -> Iterator[Case]:
    yield from _drawn("lookup", partial(lookup, widths=WIDTHS), 25, 4, part)


DSP_CASES: dict[str, tuple[Generate, int]] = {
    "linear": (_linear, 200),
    "attention": (_attention, 200),
    "causal_convolution": (_convolution, 80),
    "rms_norm": (_norm, 100),
    "lookup": (_lookup, 100),
}
"""Operator: its cases, and how many the kernels must take at least."""
