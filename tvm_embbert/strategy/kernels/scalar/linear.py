"""Linear projection: blocks of rows, packed once, against some outputs at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.intrinsic import Intrinsic, address
from tvm_embbert.strategy.kernels.scalar.burst import BESIDE
from tvm_embbert.strategy.kernels.scalar.burst_matrix import (
    BurstMatrixForm,
    burst_matrix,
    burst_weight,
)
from tvm_embbert.strategy.kernels.scalar.burst_words import words_beside, words_shape
from tvm_embbert.strategy.kernels.scalar.form import (
    ARM,
    BURST,
    LONG_REACH,
    RISCV,
    TRIPLE_REACH,
    TRIPLE_STEPS,
    UNROLL,
    Block,
    block_knobs,
    block_of,
    lone_row,
    row_knobs,
)
from tvm_embbert.strategy.kernels.scalar.matrix import MatrixForm, interleave, matrix
from tvm_embbert.strategy.kernels.scalar.words import words
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func
from tvm_embbert.strategy.knobs import Config, Knob
from tvm_embbert.strategy.linear import factors
from tvm_embbert.strategy.operator import Array, Implementation, IntegerCall, Kernel, Tensor
from tvm_embbert.strategy.registry import register_implementation


class ScalarLinear(Implementation):
    """Needs a block of rows of all inputs as scratch, two rows in a word or three in two."""

    operator = "linear"
    priority = 5

    def reject(self, call: IntegerCall) -> str:
        """Take several rows of int8."""
        wide = [str(x.dtype) for x in factors(call) if str(x.dtype) != "int8"]
        return f"an input of {wide[0]}" if wide else lone_row(call.rows)

    def knobs(self, call: IntegerCall) -> tuple[Knob, ...]:
        """Return the block's rows and outputs, how far its loop is unrolled, and how it adds."""
        return (*row_knobs(self.isa), *block_knobs(self.isa, int(call.output.shape[-1])))

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel; the matrix is filled up to whole blocks of outputs."""
        weight, bias, multiplier = call.args[-4:-1]
        first = block_of(self.isa, config, _fits_long(weight), reach=triple_reach(weight))
        block = _beside(call, config, first)
        form = _form(call, block)
        constants = (_laid_out(form, weight), bias, multiplier)
        tables = tuple(x for x in factors(call) if not isinstance(x, Tensor))
        return Kernel(
            _linear(call, form, constants),
            (*tables, *constants),
            scratch=(Tensor("words", words_shape(block, weight.shape[1]), "int32"),),
            row_block=block.rows,
            dims={"rows": call.rows},
            in_place=_taken(call),
            intrinsics=_intrinsics(form),
        )


@register_implementation
class ArmLinear(ScalarLinear):
    """With long sums where they fit."""

    isa = ARM


@register_implementation
class RiscvLinear(ScalarLinear):
    """With split or triple sums."""

    isa = RISCV


def _fits_long(weight: Array) -> bool:
    """Return whether every sum of products with int8 fits the lower row's part of a long sum."""
    sums = np.abs(weight.astype(np.int64)).sum(axis=1) * 128
    return int(sums.max(initial=0)) <= LONG_REACH


def triple_reach(weight: Array) -> int:
    """Return the steps after which triple sums must be told apart, 0 where all fit at once."""
    sums = np.abs(weight.astype(np.int64)) * 128
    steps: int = -(-weight.shape[1] // TRIPLE_STEPS) * TRIPLE_STEPS
    filled = np.pad(sums, ((0, 0), (0, steps - weight.shape[1])))
    while steps > TRIPLE_STEPS:
        parts = [filled[:, k : k + steps].sum(axis=1) for k in range(0, filled.shape[1], steps)]
        if max(int(part.max(initial=0)) for part in parts) <= TRIPLE_REACH:
            break
        steps -= TRIPLE_STEPS
    return steps if steps < weight.shape[1] else 0


def _taken(call: IntegerCall) -> str:
    """Return the last input, if any: its rows are packed before the result's are stored."""
    return ["", *(x.name for x in factors(call) if isinstance(x, Tensor))][-1]


def _beside(call: IntegerCall, config: Config, block: Block) -> Block:
    """Return the block with the rows that leave bytes no pointer, where all inputs are turns."""
    widths = [int(x.shape[-1]) for x in factors(call)]
    most = max(4, block.unroll)
    turns = [n for n in UNROLL if 4 <= n <= most and all(w % n == 0 for w in widths)]
    if block.multiply != BURST or int(config["rows"]) != 2 * BESIDE or not turns:
        return block
    return Block(2 * BESIDE, 1, turns[-1], BURST)


def _form(call: IntegerCall, block: Block) -> MatrixForm | BurstMatrixForm:
    weight, bias, _, shift = call.args[-4:]
    outputs, steps = weight.shape
    if block.multiply == BURST:
        return BurstMatrixForm(block, call.output.dtype, bias.ndim == 2, steps, outputs, shift)
    return MatrixForm(block, call.output.dtype, bias.ndim == 2, outputs % block.outputs > 0)


def _laid_out(form: MatrixForm | BurstMatrixForm, weight: Array) -> Array:
    if isinstance(form, BurstMatrixForm):
        return burst_weight(form, weight)
    return interleave(weight, form.block.outputs)


def _intrinsics(form: MatrixForm | BurstMatrixForm) -> tuple[Intrinsic, Intrinsic]:
    """Return what packs rows, and what multiplies them."""
    if isinstance(form, BurstMatrixForm):
        return (words_beside if form.beside else words)(form.block), burst_matrix(form)
    return words(form.block), matrix(form)


@dataclass(frozen=True)
class _Buffers:
    inputs: list[Buffer]
    index: Buffer | None
    constants: list[Buffer]
    shift: int
    result: Buffer
    words: Buffer


def _linear(
    call: IntegerCall, form: MatrixForm | BurstMatrixForm, constants: tuple[Array, ...]
) -> Any:
    size = form.block.rows
    with prim_func("linear_scalar") as tir:
        rows = tir.dim("rows")
        buffers = _declare(tir, call, form.block, constants, rows)
        with tir.loop("block", T.truncdiv(rows + size - 1, size)) as block:
            first = block * size
            _compute(buffers, form, first, T.min(rows - first, size))
    return tir.prim_func


def _declare(
    tir: Tir, call: IntegerCall, block: Block, constants: tuple[Array, ...], rows: Expr
) -> _Buffers:
    """Declare run-time inputs, constants and the result in the order that kernels keep to."""
    inputs = factors(call)
    declared: dict[int, Buffer] = {}

    def declare(tensors: bool) -> None:
        for number, x in enumerate(inputs):
            if isinstance(x, Tensor) == tensors:
                declared[number] = tir.tensor(f"x{number}", (rows, int(x.shape[-1])), "int8")

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
        tir.tensor("words", words_shape(block, call.args[-4].shape[1]), "int32"),
    )


def _compute(b: _Buffers, form: MatrixForm | BurstMatrixForm, first: Expr, count: Expr) -> None:
    """Pack a block of rows, and multiply them by the matrix."""
    pack, multiply = _intrinsics(form)
    step = 0
    for x in b.inputs:
        width = int(x.shape[-1])
        start = words_shape(form.block, step)[0]
        pack(address(x[first, 0]), address(b.words[start]), count, width)
        step += width
    index = [] if b.index is None else [address(b.index[first])]
    picked = [] if b.index is None else [int(b.constants[1].shape[0])]
    starts = [address(c[(0,) * len(c.shape)]) for c in b.constants]
    # Bursts have the shift and the sizes in their code.
    burst = isinstance(form, BurstMatrixForm)
    shift, sizes = ([], []) if burst else ([b.shift], [step, int(b.result.shape[1])])
    result = address(b.result[first, 0])
    multiply(address(b.words[0]), *index, *starts, *shift, result, *sizes, count, *picked)
