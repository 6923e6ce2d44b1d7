"""Linear projection: blocks of four rows, widened once, against two outputs at a time."""

from __future__ import annotations

from dataclasses import dataclass
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
from tvm_embbert.strategy.kernels.armv7e_m_dsp.widen import (
    GROUP,
    ROWS,
    groups_of,
    widen,
    widened_order,
)
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic, address
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.strategy.operator import Array, Implementation, IntegerCall, Kernel, Tensor
from tvm_embbert.strategy.registry import register_implementation


@register_implementation
class DspLinear(Implementation):
    """Needs four rows of all inputs in 16 bits as scratch."""

    operator = "linear"
    isa = "armv7e-m-dsp"
    priority = 10

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel; matrix, bias and multipliers are filled up to an even output."""
        *inputs, weight, bias, multiplier, _ = call.args
        indexed = bias.ndim == 2
        inputs = inputs[:-1] if indexed else inputs
        reach = np.repeat([np.iinfo(x.dtype).max + 1 for x in inputs], [_width(x) for x in inputs])
        split = fits_split(weight, reach)
        form = MatrixForm(call.output.dtype, split, indexed)
        laid = interleave(_filled_up(weight, inputs), split)
        constants = (laid, _even(bias), _even(multiplier))
        tables = tuple(x for x in inputs if not isinstance(x, Tensor))
        pairs = laid.shape[1]
        return Kernel(
            _linear(call, inputs, form, constants),
            (*tables, *constants),
            scratch=(Tensor("wide", (pairs, ROWS, 2), "int16"),),
            row_block=ROWS,
            dims={"rows": call.rows},
            intrinsics=tuple(_intrinsics(inputs, form)),
        )


def _width(x: Any) -> int:
    return int(x.shape[-1])


def _intrinsics(inputs: list[Any], form: MatrixForm) -> list[Intrinsic]:
    return [*(widen(t) for t in sorted({str(x.dtype) for x in inputs})), matrix(form)]


def _filled_up(weight: Array, inputs: list[Any]) -> Array:
    """Return the matrix with columns in the order of the widened inputs, the rest zeros."""
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
    return _padded(joined, outputs, -(-joined.shape[1] // (2 * UNROLLED)) * 2 * UNROLLED)


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
    call: IntegerCall, inputs: list[Any], form: MatrixForm, constants: tuple[Array, ...]
) -> Any:
    with prim_func("linear_dsp") as tir:
        rows = tir.dim("rows")
        buffers = _declare(tir, call, inputs, constants, rows)
        with tir.loop("block", T.truncdiv(rows + ROWS - 1, ROWS)) as block:
            first = block * ROWS
            _compute(buffers, form, first, T.min(rows - first, ROWS))
    return tir.prim_func


def _declare(
    tir: Tir, call: IntegerCall, inputs: list[Any], constants: tuple[Array, ...], rows: Expr
) -> _Buffers:
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
        tir.tensor("wide", (constants[0].shape[1], ROWS, 2), "int16"),
    )


def _compute(b: _Buffers, form: MatrixForm, first: Expr, count: Expr) -> None:
    """Widen up to four rows, and multiply them by the matrix."""
    pair = 0
    for x in b.inputs:
        width = _width(x)
        to = address(b.wide[pair, 0, 0])
        widen(str(x.dtype))(address(x[first, 0]), to, count, width)
        pair += groups_of(width) * GROUP // 2
    weight, bias, multiplier = b.constants
    index = [] if b.index is None else [address(b.index[first])]
    picked = [] if b.index is None else [int(bias.shape[0])]
    starts = [address(c[(0,) * len(c.shape)]) for c in (weight, bias, multiplier)]
    matrix(form)(
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
