"""Linear projection: blocks of rows, widened once, against two outputs at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.armv7e_m_dsp.matrix import (
    UNROLLED,
    MatrixForm,
    fits_split,
    interleave,
    matrix,
)
from tvm_embbert.strategy.kernels.armv7e_m_dsp.matrix_block import (
    WORDS,
    BlockForm,
    fits_with_bias,
    matrix_block,
)
from tvm_embbert.strategy.kernels.armv7e_m_dsp.widen import (
    GROUP,
    ROWS,
    groups_of,
    widen,
    widened_order,
)
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic, address
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func
from tvm_embbert.strategy.knobs import Config, Knob
from tvm_embbert.strategy.operator import Array, Implementation, IntegerCall, Kernel, Tensor
from tvm_embbert.strategy.registry import register_implementation

SHARED = "shared"
"""The block of one function for all sizes; others are rows and words, such as ``3x2``."""


@register_implementation
class DspLinear(Implementation):
    """Needs a block's rows of all inputs in 16 bits as scratch: four, unless tuned."""

    operator = "linear"
    isa = "armv7e-m-dsp"
    priority = 10

    def knobs(self, call: IntegerCall) -> tuple[Knob, ...]:
        """Return the block, and the pairs of inputs that a turn of the inner loop takes."""
        own = (f"{rows}x{words}" for rows, many in WORDS.items() for words in many)
        return (
            Knob("block", (*own, SHARED), SHARED),
            Knob("unroll", (4, 8, UNROLLED, 32, 64), UNROLLED),
        )

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel; matrix, bias and multipliers are filled up to an even output."""
        *inputs, weight, bias, multiplier, shift = call.args
        indexed = bias.ndim == 2
        inputs = inputs[:-1] if indexed else inputs
        reach = np.repeat([np.iinfo(x.dtype).max + 1 for x in inputs], [_width(x) for x in inputs])
        block, unroll = str(config["block"]), int(config["unroll"])
        if block == SHARED:
            split = fits_split(weight, reach)
        else:
            split = fits_with_bias(weight, bias, reach) and shift < 8
            unroll = _even_turns(inputs, unroll)
        laid = interleave(_filled_up(weight, inputs, unroll), split)
        shared = MatrixForm(call.output.dtype, split, indexed, unroll)
        if block == SHARED:
            product = _Product(ROWS, matrix(shared))
        else:
            product = _product(block, shared, call, laid.shape[1])
        constants = (laid, _even(bias), _even(multiplier))
        tables = tuple(x for x in inputs if not isinstance(x, Tensor))
        return Kernel(
            _linear(call, inputs, product, constants),
            (*tables, *constants),
            scratch=(Tensor("wide", (laid.shape[1], product.rows, 2), "int16"),),
            row_block=product.rows,
            dims={"rows": call.rows},
            # The inputs of a block are widened before its rows are written.
            in_place=next((x.name for x in reversed(inputs) if isinstance(x, Tensor)), ""),
            intrinsics=(*_widening(inputs, product.rows), product.matrix),
        )


@dataclass(frozen=True)
class _Product:
    """Rows of a block, and what multiplies them."""

    rows: int
    matrix: Intrinsic


def _product(block: str, form: MatrixForm, call: IntegerCall, pairs: int) -> _Product:
    rows, words = map(int, block.split("x"))
    own = replace(form, unroll=UNROLLED)
    sizes = (pairs, int(call.output.shape[-1]), call.args[-1])
    return _Product(rows, matrix_block(BlockForm(own, rows, words, form.unroll, *sizes)))


def _even_turns(inputs: list[Any], unroll: int) -> int:
    """Return the pairs of a turn, at most `unroll`, of which several turns waste least."""
    pairs = sum(int(groups_of(_width(x))) * GROUP // 2 for x in inputs)
    return -(-pairs // -(-pairs // unroll))


def _width(x: Any) -> int:
    return int(x.shape[-1])


def _widening(inputs: list[Any], rows: int) -> list[Intrinsic]:
    return [widen(t, rows) for t in sorted({str(x.dtype) for x in inputs})]


def _filled_up(weight: Array, inputs: list[Any], unroll: int) -> Array:
    """Return the matrix with columns in the order of the widened inputs, the rest zeros.

    The pairs of columns are a multiple of `unroll`.
    """
    outputs = weight.shape[0] + weight.shape[0] % 2
    columns: list[Array] = []
    first = 0
    for x in inputs:
        part = weight[:, first : first + _width(x)]
        groups = groups_of(_width(x))
        full = _padded(part, outputs, groups * GROUP).reshape(outputs, groups, GROUP)
        columns.append(full[:, :, list(widened_order(str(x.dtype)))].reshape(outputs, -1))
        first += _width(x)
    joined = np.concatenate(columns, axis=1)
    return _padded(joined, outputs, -(-joined.shape[1] // (2 * unroll)) * 2 * unroll)


def _padded(matrix: Array, rows: int, columns: int) -> Array:
    return np.pad(matrix, ((0, rows - matrix.shape[0]), (0, columns - matrix.shape[1])))


def _even(values: Array) -> Array:
    """Return values by output with a zero for the output that fills up the last two."""
    missing = [(0, 0)] * (values.ndim - 1) + [(0, values.shape[-1] % 2)]
    return np.pad(values, missing)


@dataclass(frozen=True)
class _Buffers:
    inputs: list[Buffer]
    index: Buffer | None
    constants: list[Buffer]
    shift: int
    result: Buffer
    wide: Buffer


def _linear(
    call: IntegerCall, inputs: list[Any], product: _Product, constants: tuple[Array, ...]
) -> Any:
    with prim_func("linear_dsp") as tir:
        rows = tir.dim("rows")
        buffers = _declare(tir, call, inputs, constants, (rows, product.rows))
        with tir.loop("block", T.truncdiv(rows + product.rows - 1, product.rows)) as block:
            first = block * product.rows
            _compute(buffers, product, first, T.min(rows - first, product.rows))
    return tir.prim_func


def _declare(
    tir: Tir,
    call: IntegerCall,
    inputs: list[Any],
    constants: tuple[Array, ...],
    sizes: tuple[Expr, int],
) -> _Buffers:
    """Declare the parameters; `sizes` are all rows, and those of a block."""
    rows, block = sizes
    declared: dict[int, Buffer] = {}

    def declare(tensors: bool) -> None:
        for number, x in enumerate(inputs):
            if isinstance(x, Tensor) == tensors:
                declared[number] = tir.tensor(f"x{number}", (rows, _width(x)), str(x.dtype))

    declare(True)
    indexed = constants[1].ndim == 2
    index = tir.tensor("index", (rows,), "int32") if indexed else None
    declare(False)
    names = ("weight", "bias", "multiplier")
    return _Buffers(
        [declared[number] for number in range(len(inputs))],
        index,
        [tir.tensor(n, c.shape, str(c.dtype)) for n, c in zip(names, constants, strict=True)],
        call.args[-1],
        tir.tensor("result", (rows, call.output.shape[-1]), call.output.dtype),
        tir.tensor("wide", (constants[0].shape[1], block, 2), "int16"),
    )


def _compute(b: _Buffers, product: _Product, first: Expr, count: Expr) -> None:
    """Widen the rows of a block, and multiply them by the matrix."""
    pair = 0
    for x in b.inputs:
        width = _width(x)
        to = address(b.wide[pair, 0, 0])
        widen(str(x.dtype), product.rows)(address(x[first, 0]), to, count, width)
        pair += groups_of(width) * GROUP // 2
    weight, bias, multiplier = b.constants
    index = [] if b.index is None else [address(b.index[first])]
    picked = [] if b.index is None else [int(bias.shape[0])]
    starts = [address(c[(0,) * len(c.shape)]) for c in (weight, bias, multiplier)]
    product.matrix(
        address(b.wide[0, 0, 0]),
        *index,
        *starts,
        b.shift,
        address(b.result[first, 0]),
        int(weight.shape[1]),
        int(b.result.shape[1]),
        count,
        *picked,
    )
