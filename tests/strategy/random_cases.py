"""Random calls of every operator, over the whole ranges that the operators' documents allow.

Each generator draws a form (what a kernel is specialised for), then cases of that form.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from kernel_bench import Case

from tvm_embbert.quantize import arithmetic
from tvm_embbert.strategy.operator import IntegerCall, Tensor

SIZES = (1, 2, 3, 7, 15, 17, 31, 33, 127, 129)
OUTPUTS = (1, 3, 4, 6, 8, 10, 12, 33)
INT32_MAX = 2**31 - 1
Rng = np.random.Generator
Draw = Callable[[Rng], tuple[tuple[Any, ...], dict[str, int]]]
Form = tuple[IntegerCall, Draw]
"""The call's tensors and attributes, and a function that draws arguments and sizes."""


@contextmanager
def drawn_from(sizes: Sequence[int]) -> Iterator[None]:
    """Draw numbers of rows and channels from other sizes than SIZES for a while."""
    global SIZES
    before, SIZES = SIZES, tuple(sizes)
    try:
        yield
    finally:
        SIZES = before


def pick(rng: Rng, options: Sequence[int]) -> int:
    return int(options[rng.integers(len(options))])


def values(rng: Rng, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Return anything from the whole range, or only its ends, or the lowest value alone."""
    info = np.iinfo(dtype)
    kind = rng.integers(4)
    if kind == 0:
        return rng.choice(np.array([info.min, info.max], dtype), shape)
    if kind == 1:
        return np.full(shape, info.min, dtype)
    return rng.integers(info.min, info.max + 1, shape).astype(dtype)


def bias_within(rng: Rng, shape: tuple[int, ...], largest: int, limit: int) -> np.ndarray:
    """Return biases near the products in size, or all that these leave of 32 bits."""
    room = limit - largest
    reach = room if rng.random() < 0.2 else min(room, largest)
    bias = rng.integers(-reach, reach + 1, shape)
    return np.where(rng.random(shape) < 0.1, np.sign(bias) * room, bias).astype(np.int32)


def multipliers(rng: Rng, outputs: int, largest: int, shift: int, dtype: str) -> np.ndarray:
    """Return multipliers that mostly bring results near the type's range, and extreme ones."""
    unit = 2.0**32 / (largest * 2.0**shift) * np.iinfo(dtype).max
    drawn = np.minimum(unit * 2 ** rng.uniform(-3, 5, outputs), INT32_MAX)
    extreme = rng.choice(np.array([0, 1, 2, INT32_MAX]), outputs)
    return np.where(rng.random(outputs) < 0.1, extreme, drawn).astype(np.int32)


def fitting(weight: np.ndarray, reach: np.ndarray, limit: int) -> tuple[np.ndarray, int]:
    """Halve weights (outputs, inputs) until their products fit; returns them and the largest."""
    while (largest := int((np.abs(weight.astype(np.int64)) @ reach).max())) > limit:
        weight = (weight / 2).astype(np.int8)
    return weight, max(1, largest)


def linear(rng: Rng) -> Form:
    widths = [pick(rng, SIZES) for _ in range(rng.integers(1, 4))]
    types = ["int16" if rng.random() < 0.2 else "int8" for _ in widths]
    constant = pick(rng, range(len(widths))) if rng.random() < 0.3 else None
    outputs, shift = pick(rng, OUTPUTS), pick(rng, (0, 0, 1, 3, 7))
    result, indexed = str(rng.choice(["int8", "int16"])), rng.random() < 0.3
    inputs: list[Any] = [
        Tensor(f"x{i}", ("n", w), t) for i, (w, t) in enumerate(zip(widths, types, strict=True))
    ]
    if constant is not None:
        types[constant] = "int8"
        inputs[constant] = np.zeros((129, widths[constant]), np.int8)
    index = [Tensor("index", ("n",), "int32")] if indexed else []
    reach = np.repeat([int(np.iinfo(t).max) + 1 for t in types], widths)

    def draw(rng: Rng) -> tuple[tuple[Any, ...], dict[str, int]]:
        rows, limit = pick(rng, SIZES), INT32_MAX >> shift
        weight, largest = fitting(values(rng, (outputs, len(reach)), "int8"), reach, limit)
        bias = bias_within(rng, (5, outputs) if indexed else (outputs,), largest, limit)
        scale = multipliers(rng, outputs, largest, shift, result)
        args: list[Any] = [
            values(rng, (129 if i == constant else rows + pick(rng, (0, 2)), w), t)
            for i, (w, t) in enumerate(zip(widths, types, strict=True))
        ]
        args += [rng.integers(0, 5, rows).astype(np.int32)] if indexed else []
        return (*args, weight, bias, scale, shift), {"n": rows}

    template = (*inputs, *index, None, None, None, shift)
    return IntegerCall("linear", "call", template, Tensor("y", ("n", outputs), result)), draw


def causal_convolution(rng: Rng, widths: Sequence[int] | None = None) -> Form:
    inputs, copies = pick(rng, widths or SIZES), pick(rng, (1, 1, 2, 3))
    taps, shift = pick(rng, (1, 2, 3, 8, 32)), pick(rng, (0, 0, 1, 4))
    outputs = inputs * copies

    def draw(rng: Rng) -> tuple[tuple[Any, ...], dict[str, int]]:
        rows, limit = pick(rng, SIZES), INT32_MAX >> shift
        reach = np.full(taps, 128)
        weight, largest = fitting(values(rng, (outputs, taps), "int8"), reach, limit)
        bias = bias_within(rng, (outputs,), largest, limit)
        scale = multipliers(rng, outputs, largest, shift, "int8")
        x = values(rng, (rows + pick(rng, (0, 3)), inputs), "int8")
        return (x, np.ascontiguousarray(weight.T), bias, scale, shift), {"n": rows}

    template = (Tensor("x", ("n", inputs), "int8"), None, None, None, shift)
    output = Tensor("y", ("n", outputs), "int8")
    return IntegerCall("causal_convolution", "call", template, output), draw


def attention(rng: Rng, widths: Sequence[int] | None = None) -> Form:
    width, masked = pick(rng, widths or SIZES), rng.random() < 0.6
    shift, context_shift = pick(rng, (0, 0, 1, 2, 6)), pick(rng, (0, 1, 2, 4))

    def draw(rng: Rng) -> tuple[tuple[Any, ...], dict[str, int]]:
        rows, keys = pick(rng, SIZES[:8]), pick(rng, SIZES)
        steps = _scale_of_shift(rng, shift, 20)
        ratio = _scale_of_shift(rng, context_shift, 8)
        context = arithmetic.reciprocal(ratio)
        assert (steps.shift, context.shift) == (shift, context_shift)
        x = [values(rng, (r, width), "int8") for r in (rows + pick(rng, (0, 2)), keys, keys)]
        mask = [_hidden(rng, keys)] if masked else []
        table = arithmetic.exponential_table()
        if rng.random() < 0.3:
            table = rng.integers(0, 128, 256).astype(np.int8)
        numbers = (int(steps.multiplier[0]), shift, context.numerator, context_shift)
        return (*x, *mask, table, *numbers), {"n": rows, "m": keys}

    def _scale_of_shift(rng: Rng, wanted: int, smallest: int) -> Any:
        lowest = -smallest if wanted == 0 else wanted - 2
        scale = 2.0 ** rng.uniform(lowest, wanted - 1)
        return arithmetic.requantization(scale) if smallest == 20 else scale

    tensors = [Tensor(n, (r, width), "int8") for n, r in (("q", "n"), ("k", "m"), ("v", "m"))]
    tensors += [Tensor("hidden", ("m",), "bool")] if masked else []
    template = (*tensors, None, None, shift, None, context_shift)
    output = Tensor("y", ("n", width), "int8")
    return IntegerCall("attention", "call", template, output), draw


def _hidden(rng: Rng, keys: int) -> np.ndarray:
    hidden = rng.random(keys) < rng.choice([0.0, 0.3, 0.9, 1.0])
    if rng.random() < 0.3:
        hidden[:] = True
        hidden[rng.integers(keys)] = False
    return hidden


def rms_norm(rng: Rng, widths: Sequence[int] | None = None) -> Form:
    channels = pick(rng, widths or SIZES)

    def draw(rng: Rng) -> tuple[tuple[Any, ...], dict[str, int]]:
        rows = pick(rng, SIZES)
        x = values(rng, (rows, channels), "int16") >> pick(rng, (0, 0, 3, 8, 14))
        epsilon = int(2 ** rng.uniform(0, pick(rng, (1, 20, 40))))
        gain, shift = int(rng.integers(2**14, 2**15)), int(rng.integers(1, 11))
        return (x * (rng.random() < 0.95), epsilon, gain, shift), {"n": rows}

    template = (Tensor("x", ("n", channels), "int16"), None, None, None)
    output = Tensor("y", ("n", channels), "int8")
    return IntegerCall("rms_norm", "call", template, output), draw


def lookup(rng: Rng, widths: Sequence[int] | None = None) -> Form:
    channels = pick(rng, widths or SIZES)

    def draw(rng: Rng) -> tuple[tuple[Any, ...], dict[str, int]]:
        rows = pick(rng, SIZES)
        x = values(rng, (rows + pick(rng, (0, 2)), channels), "int8")
        return (x, values(rng, (256,), "int8")), {"n": rows}

    template = (Tensor("x", ("n", channels), "int8"), None)
    output = Tensor("y", ("n", channels), "int8")
    return IntegerCall("lookup", "call", template, output), draw


def gather(rng: Rng) -> Form:
    entries, width = pick(rng, SIZES), pick(rng, SIZES)

    def draw(rng: Rng) -> tuple[tuple[Any, ...], dict[str, int]]:
        rows = pick(rng, SIZES)
        index = rng.integers(0, entries, rows + 1).astype(np.int32)
        return (index, values(rng, (entries, width), "int8")), {"n": rows}

    template = (Tensor("index", ("n",), "int32"), np.zeros((entries, width), np.int8))
    return IntegerCall("gather", "call", template, Tensor("y", ("n", width), "int8")), draw


def running_sum(rng: Rng) -> Form:
    dtype = str(rng.choice(["bool", "int32"]))

    def draw(rng: Rng) -> tuple[tuple[Any, ...], dict[str, int]]:
        rows = pick(rng, SIZES)
        low, high = (0, 2) if dtype == "bool" else (-(2**23), 2**23)
        return (rng.integers(low, high, rows + 1).astype(dtype),), {"n": rows}

    output = Tensor("y", ("n",), "int32")
    return IntegerCall("running_sum", "call", (Tensor("x", ("n",), dtype),), output), draw


COMPARISONS = ("equal", "not_equal", "greater", "greater_equal", "less", "less_equal")
LOGIC = ("logical_and", "logical_or")


def elementwise(rng: Rng) -> Form:
    name = str(rng.choice([*COMPARISONS, *LOGIC, "where", "add", "subtract", "multiply"]))
    types = ["bool", "bool"] if name in LOGIC else ["int32", "int32"]
    types = ["bool", *types] if name == "where" else types
    first = 1 if name == "where" else 0
    scalar = set() if name in LOGIC else {pick(rng, (-1, first, first + 1))}
    result = "bool" if name in (*COMPARISONS, *LOGIC) else "int32"

    def operand(rng: Rng, dtype: str, rows: int) -> np.ndarray:
        reach = 2 if dtype == "bool" else pick(rng, (2, 2**15))
        low = 0 if dtype == "bool" else -reach
        return rng.integers(low, reach, rows).astype(dtype)

    def draw(rng: Rng) -> tuple[tuple[Any, ...], dict[str, int]]:
        rows = pick(rng, SIZES)
        drawn = [operand(rng, t, rows + 1) for t in types]
        args = [int(a[0]) if i in scalar else a for i, a in enumerate(drawn)]
        return (name, *args), {"n": rows}

    template = [0 if i in scalar else Tensor(f"x{i}", ("n",), t) for i, t in enumerate(types)]
    output = Tensor("y", ("n",), result)
    return IntegerCall("elementwise", "call", (name, *template), output), draw


GENERATORS: dict[str, tuple[Callable[[Rng], Form], int, int]] = {
    "linear": (linear, 80, 8),
    "causal_convolution": (causal_convolution, 40, 8),
    "attention": (attention, 50, 8),
    "rms_norm": (rms_norm, 10, 40),
    "lookup": (lookup, 10, 20),
    "gather": (gather, 20, 10),
    "running_sum": (running_sum, 4, 20),
    "elementwise": (elementwise, 40, 6),
}
"""Operator: its generator, the number of forms, the number of cases of each."""


def forms_of(operator: str) -> Iterator[list[Case]]:
    """Yield the cases of each form of an operator."""
    generator, forms, count = GENERATORS[operator]
    for number in range(forms):
        seed = [zlib.crc32(operator.encode()), number]
        call, draw = generator(np.random.default_rng(seed))
        make = partial(case_of, call, draw, seed)
        yield [make(index) for index in range(count)]


def case_of(call: IntegerCall, draw: Draw, seed: list[int], index: int) -> Case:
    seeds = [*seed, index]
    args, sizes = draw(np.random.default_rng(seeds))
    filled = tuple(t if isinstance(t, Tensor) else a for t, a in zip(call.args, args, strict=True))
    label = f"{call.operator}, default_rng({seeds})"
    return Case(label, IntegerCall(call.operator, call.name, filled, call.output), args, sizes)
