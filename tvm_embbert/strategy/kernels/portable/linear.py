"""Linear projection: a tile of outputs at a time, so that an input is read once for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tvm_embbert.strategy.kernels.arithmetic import requantize, tile_of, widened
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel, Tensor
from tvm_embbert.strategy.registry import register_implementation


@register_implementation
class PortableLinear(Implementation):
    """Inputs in turn, each against its own columns of the weight matrix."""

    operator = "linear"
    isa = "portable"

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel for the call's inputs, types and shift."""
        shift = call.args[-1]
        return Kernel(linear(call, shift), tuple(call.constants), dims={"rows": call.rows})


@dataclass(frozen=True)
class _Buffers:
    inputs: list[Buffer]
    index: Buffer | None
    weight: Buffer
    bias: Buffer
    multiplier: Buffer
    result: Buffer
    sums: Buffer

    def bias_of(self, row: Expr, output: Expr) -> Expr:
        """Return the bias, picked by the row's index where there is one."""
        return self.bias[output] if self.index is None else self.bias[self.index[row], output]


def linear(call: IntegerCall, shift: int) -> Any:
    """Return the PrimFunc of a call."""
    *_, weight, _, _, _ = call.args
    outputs = weight.shape[0]
    tile = tile_of(outputs)
    with prim_func("linear") as tir:
        rows = tir.dim("rows")
        buffers = _declare(tir, call, rows, tile)
        with tir.loop("i", rows) as i, tir.loop("block", outputs // tile) as block:
            _compute(tir, buffers, tile, i, block * tile)
            _store(tir, buffers, tile, (i, block * tile), shift, call.output.dtype)
    return tir.prim_func


def _declare(tir: Tir, call: IntegerCall, rows: Expr, tile: int) -> _Buffers:
    """Declare run-time inputs, constants and the result in the order that kernels keep to."""
    *inputs, weight, bias, multiplier, _ = call.args
    index = inputs.pop() if bias.ndim == 2 else None
    declared: dict[int, Buffer] = {}

    def declare(kind: type) -> None:
        for number, x in enumerate(inputs):
            if isinstance(x, Tensor) == (kind is Tensor):
                shape = (rows, x.shape[-1])
                declared[number] = tir.tensor(f"x{number}", shape, str(x.dtype))

    declare(Tensor)
    picked = None if index is None else tir.tensor("index", (rows,), "int32")
    declare(object)
    return _Buffers(
        [declared[number] for number in range(len(inputs))],
        picked,
        tir.tensor("weight", weight.shape, "int8"),
        tir.tensor("bias", bias.shape, "int32"),
        tir.tensor("multiplier", multiplier.shape, "int32"),
        tir.tensor("result", (rows, weight.shape[0]), call.output.dtype),
        tir.local("sums", "int32", tile),
    )


def _compute(tir: Tir, b: _Buffers, tile: int, i: Expr, first: Expr) -> None:
    """Accumulate a tile of outputs of row i."""
    with tir.unrolled(tile) as u:
        tir.store(b.sums, u, b.bias_of(i, first + u))
    column = 0
    for x in b.inputs:
        width = int(x.shape[-1])
        with tir.loop("k", width) as k, tir.unrolled(tile) as u:
            product = widened(x[i, k]) * widened(b.weight[first + u, column + k])
            tir.accumulate(b.sums, u, product)
        column += width


def _store(
    tir: Tir, b: _Buffers, tile: int, place: tuple[Expr, Expr], shift: int, dtype: str
) -> None:
    i, first = place
    with tir.unrolled(tile) as u:
        scaled = requantize(b.sums[u], b.multiplier[first + u], shift, dtype)
        tir.store(b.result, (i, first + u), scaled)
