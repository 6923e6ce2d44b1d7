"""Linear projection: a row at a time, each part of its inputs against its own columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tvm_embbert.strategy.kernels.intrinsic import Intrinsic, address
from tvm_embbert.strategy.kernels.rv32_zve32x.dot import dot, segments
from tvm_embbert.strategy.kernels.rv32_zve32x.outputs import (
    WIDEST,
    multiply,
    pack_outputs,
    pairs,
)
from tvm_embbert.strategy.kernels.rv32_zve32x.requantization import requantize_row
from tvm_embbert.strategy.kernels.rv32_zve32x.segments import dot_segments
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func
from tvm_embbert.strategy.knobs import Config, Knob, Value
from tvm_embbert.strategy.linear import factors
from tvm_embbert.strategy.operator import Array, Implementation, IntegerCall, Kernel, Tensor
from tvm_embbert.strategy.registry import register_implementation

UNROLL = Knob("unroll", (1, 2, 4, 8), 1)
"""Pairs of inputs in a turn of the loop that has outputs in its lanes."""


@register_implementation
class RvvLinear(Implementation):
    """Needs a row of sums as scratch."""

    operator = "linear"
    isa = "rv32-zve32x"
    priority = 20

    def reject(self, call: IntegerCall) -> str:
        """Take inputs of 8 bits."""
        wide = [str(x.dtype) for x in factors(call) if str(x.dtype) != "int8"]
        return f"products are made of int8, not {wide[0]}" if wide else ""

    def knobs(self, call: IntegerCall) -> tuple[Knob, ...]:
        """Offer segments for even parts, and lanes of outputs where no weight is -128."""
        form = Form.of(call, "halves", UNROLL.default)
        even = not any(n % 2 for _, n in form.parts)
        lanes = not form.lowest and form.outputs <= WIDEST
        offered = ("halves", *["segments"] * even, *["outputs"] * lanes)
        return (Knob("products", offered, "halves"), UNROLL)

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Store the weights of each part of the inputs together."""
        form = Form.of(call, str(config["products"]), config["unroll"])
        *_, weight, bias, multiplier, _ = call.args
        tables = [x for x in factors(call) if isinstance(x, np.ndarray)]
        return Kernel(
            linear(form),
            (*tables, form.pack(weight), bias, multiplier),
            scratch=form.memory,
            dims={"rows": call.rows},
            intrinsics=form.intrinsics,
        )


@dataclass(frozen=True)
class Form:
    """What a kernel is specialised for; `inputs` are widths, and whether a constant."""

    inputs: tuple[tuple[int, bool], ...]
    outputs: int
    biases: int
    shift: int
    dtype: str
    lowest: bool
    products: str
    unroll: int

    @staticmethod
    def of(call: IntegerCall, products: str, unroll: Value) -> Form:
        """Return the form of a call: how it multiplies, and the pairs in a turn of its loop."""
        *_, weight, bias, _, shift = call.args
        inputs = tuple((x.shape[-1], not isinstance(x, Tensor)) for x in factors(call))
        biases = len(bias) if bias.ndim == 2 else 0
        lowest = bool(weight.min() == -128)
        shape = (inputs, weight.shape[0], biases, shift, call.output.dtype)
        return Form(*shape, lowest, products, int(unroll))

    @property
    def parts(self) -> list[tuple[int, int]]:
        """Return first column of the weights and width of each part of the inputs."""
        first = np.cumsum([0, *(width for width, _ in self.inputs)]).tolist()
        pairs = zip(first, self.inputs, strict=False)
        return [(k + at, n) for k, (width, _) in pairs for at, n in segments(width)]

    @property
    def words(self) -> int:
        """Return the bytes of the weights."""
        widths = [width for width, _ in self.inputs]
        padded = [2 * pairs(n) if self.products == "outputs" else n for n in widths]
        return self.outputs * sum(padded)

    @property
    def memory(self) -> tuple[Tensor, ...]:
        """Return memory for the sums of a row; registers hold those in lanes of outputs."""
        return () if self.products == "outputs" else (Tensor("sums", (self.outputs,), "int32"),)

    def pack(self, weight: Array) -> Array:
        """Return the weights (outputs, inputs) in the order of their use."""
        if self.products == "outputs":
            return pack_outputs(weight, [width for width, _ in self.inputs]).reshape(-1)
        return np.concatenate([weight[:, k : k + n].reshape(-1) for k, n in self.parts])

    def dot(self, width: int) -> Intrinsic:
        """Return the products of a part."""
        if self.products == "segments":
            return dot_segments(width, True, "offset" if self.lowest else "absent")
        return dot(width, True, self.lowest)

    @property
    def multiply(self) -> Intrinsic:
        """Return the computation of a row in lanes of outputs."""
        widths = tuple(width for width, _ in self.inputs)
        return multiply(widths, self.outputs, self.shift, self.dtype, self.unroll)

    @property
    def requantize(self) -> Intrinsic:
        """Return the scaling of a row."""
        return requantize_row(self.shift, self.dtype)

    @property
    def intrinsics(self) -> tuple[Intrinsic, ...]:
        """Return all that the kernel calls."""
        if self.products == "outputs":
            return (self.multiply,)
        return (*map(self.dot, sorted({n for _, n in self.parts})), self.requantize)


@dataclass(frozen=True)
class _Buffers:
    inputs: list[Buffer]
    index: Buffer | None
    weight: Buffer
    bias: Buffer
    multiplier: Buffer
    result: Buffer
    sums: list[Buffer]


def linear(form: Form) -> Any:
    """Return the PrimFunc of a form."""
    with prim_func("linear_rvv") as tir:
        rows = tir.dim("rows")
        buffers = _declare(tir, form, rows)
        with tir.loop("i", rows) as i:
            _compute(form, buffers, i)
    return tir.prim_func


def _declare(tir: Tir, form: Form, rows: Expr) -> _Buffers:
    """Declare run-time inputs, constants, the result and scratch in the order that kernels keep."""
    declared: dict[int, Buffer] = {}

    def declare(constants: bool) -> None:
        for number, (width, is_constant) in enumerate(form.inputs):
            if is_constant == constants:
                declared[number] = tir.tensor(f"x{number}", (rows, width), "int8")

    declare(False)
    index = tir.tensor("index", (rows,), "int32") if form.biases else None
    declare(True)
    return _Buffers(
        [declared[number] for number in range(len(form.inputs))],
        index,
        tir.tensor("weight", (form.words,), "int8"),
        tir.tensor("bias", (form.biases or 1, form.outputs), "int32"),
        tir.tensor("multiplier", (form.outputs,), "int32"),
        tir.tensor("result", (rows, form.outputs), form.dtype),
        [tir.tensor(t.name, (form.outputs,), "int32") for t in form.memory],
    )


def _compute(form: Form, b: _Buffers, i: Expr) -> None:
    """Compute row i from its bias."""
    start = address(b.bias[0 if b.index is None else b.index[i], 0])
    if form.products != "outputs":
        _compute_parts(form, b, i, start)
        return
    rows = [address(x[i, 0]) for x in b.inputs]
    scale = (start, address(b.multiplier[0]))
    form.multiply(*rows, address(b.weight[0]), *scale, address(b.result[i, 0]))


def _compute_parts(form: Form, b: _Buffers, i: Expr, start: Expr) -> None:
    """Compute row i: the first part begins at the bias, each other one at the sums so far."""
    at, sums = 0, address(b.sums[0][0])
    for x in b.inputs:
        for k, width in segments(int(x.shape[-1])):
            weight = address(b.weight[at])
            form.dot(width)(address(x[i, k]), weight, start, sums, form.outputs)
            at, start = at + form.outputs * width, sums
    scale = (sums, address(b.multiplier[0]))
    form.requantize(*scale, address(b.result[i, 0]), form.outputs)
