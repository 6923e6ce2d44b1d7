"""Linear projection: a row at a time, each part of its inputs against its own columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tvm_embbert.strategy.kernels.intrinsic import Intrinsic, address
from tvm_embbert.strategy.kernels.rv32_zve32x.dot import dot, segments
from tvm_embbert.strategy.kernels.rv32_zve32x.requantization import requantize_row
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.strategy.linear import factors
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel, Tensor
from tvm_embbert.strategy.registry import register_implementation


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

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Store the weights of each part of the inputs together."""
        form = Form.of(call)
        *_, weight, bias, multiplier, _ = call.args
        tables = [x for x in factors(call) if isinstance(x, np.ndarray)]
        parts = [weight[:, k : k + n].reshape(-1) for k, n in form.parts]
        return Kernel(
            linear(form),
            (*tables, np.concatenate(parts), bias, multiplier),
            scratch=(Tensor("sums", (form.outputs,), "int32"),),
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

    @staticmethod
    def of(call: IntegerCall) -> Form:
        """Return the form of a call."""
        *_, weight, bias, _, shift = call.args
        inputs = tuple((x.shape[-1], not isinstance(x, Tensor)) for x in factors(call))
        biases = len(bias) if bias.ndim == 2 else 0
        lowest = bool(weight.min() == -128)
        return Form(inputs, weight.shape[0], biases, shift, call.output.dtype, lowest)

    @property
    def parts(self) -> list[tuple[int, int]]:
        """Return first column of the weights and width of each part of the inputs."""
        first = np.cumsum([0, *(width for width, _ in self.inputs)]).tolist()
        pairs = zip(first, self.inputs, strict=False)
        return [(k + at, n) for k, (width, _) in pairs for at, n in segments(width)]

    def dot(self, width: int) -> Intrinsic:
        """Return the products of a part."""
        return dot(width, True, self.lowest)

    @property
    def requantize(self) -> Intrinsic:
        """Return the scaling of a row."""
        return requantize_row(self.shift, self.dtype)

    @property
    def intrinsics(self) -> tuple[Intrinsic, ...]:
        """Return all that the kernel calls."""
        return (*map(self.dot, sorted({n for _, n in self.parts})), self.requantize)


@dataclass(frozen=True)
class _Buffers:
    inputs: list[Buffer]
    index: Buffer | None
    weight: Buffer
    bias: Buffer
    multiplier: Buffer
    result: Buffer
    sums: Buffer


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
    width = sum(width for width, _ in form.inputs)
    return _Buffers(
        [declared[number] for number in range(len(form.inputs))],
        index,
        tir.tensor("weight", (form.outputs * width,), "int8"),
        tir.tensor("bias", (form.biases or 1, form.outputs), "int32"),
        tir.tensor("multiplier", (form.outputs,), "int32"),
        tir.tensor("result", (rows, form.outputs), form.dtype),
        tir.tensor("sums", (form.outputs,), "int32"),
    )


def _compute(form: Form, b: _Buffers, i: Expr) -> None:
    """Compute row i: the first part begins at the bias, each other one at the sums so far."""
    start = address(b.bias[0 if b.index is None else b.index[i], 0])
    at = 0
    for x in b.inputs:
        for k, width in segments(int(x.shape[-1])):
            weight = address(b.weight[at])
            form.dot(width)(address(x[i, k]), weight, start, address(b.sums[0]), form.outputs)
            at, start = at + form.outputs * width, address(b.sums[0])
    scale = (address(b.sums[0]), address(b.multiplier[0]))
    form.requantize(*scale, address(b.result[i, 0]), form.outputs)
