"""RMSNorm: the squares of a row in two sums of 16 bits each, one square root, a pass to scale."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import call as arithmetic
from tvm_embbert.strategy.kernels.arithmetic import saturate, widened
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic, address
from tvm_embbert.strategy.kernels.rv32_zve32x.assembly import assembly, intrinsic, narrowed
from tvm_embbert.strategy.kernels.tir import Expr, prim_func
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel, Tensor
from tvm_embbert.strategy.registry import register_implementation

WIDEST = 2**15 - 1
"""Channels whose squares' lower halves add up within 31 bits."""
_HALF = 2**16


@register_implementation
class RvvRMSNorm(Implementation):
    """Needs the halves of the sum of squares as scratch."""

    operator = "rms_norm"
    isa = "rv32-zve32x"
    priority = 20

    def reject(self, call: IntegerCall) -> str:
        """Take rows whose sums of halves fit 32 bits."""
        channels = int(call.output.shape[-1])
        return f"{channels} channels are more than {WIDEST}" if channels > WIDEST else ""

    def kernel(self, call: IntegerCall) -> Kernel:
        """Build the kernel; epsilon, gain and shift are scalars."""
        tensor, *scalars = call.args
        return Kernel(
            rms_norm(tensor.shape[-1]),
            (),
            scalars=tuple(scalars),
            scratch=(Tensor("halves", (2,), "int32"),),
            dims={"rows": call.rows},
            intrinsics=(square(), scale_row()),
        )


def rms_norm(channels: int) -> Any:
    """Return the PrimFunc over rows of `channels` int16 elements."""
    with prim_func("rms_norm_rvv") as tir:
        rows = tir.dim("rows")
        x = tir.tensor("x", (rows, channels), "int16")
        epsilon = tir.scalar("epsilon", "int64")
        gain, shift = tir.scalar("gain"), tir.scalar("shift")
        result = tir.tensor("result", (rows, channels), "int8")
        halves = tir.tensor("halves", (2,), "int32")
        squares = tir.local("squares", "int64")
        with tir.loop("i", rows) as i:
            square()(address(x[i, 0]), address(halves[0]), channels)
            upper = T.Cast("int64", halves[1]) * T.int64(_HALF)
            tir.store(squares, 0, epsilon + T.Cast("int64", halves[0]) + upper)
            scale = arithmetic("int32", "norm_multiplier", squares[0], gain)
            bits = arithmetic("int32", "norm_shift", squares[0], shift)
            scale_row()(address(x[i, 0]), scale, bits, address(result[i, 0]), channels)
    return tir.prim_func


@cache
def square() -> Intrinsic:
    """Return the intrinsic that adds up the squares of a row, lower and upper halves apart.

    Parameters: ``x`` int16 (channels), ``halves`` int32 (2), ``channels``, 1 to 32767.
    """
    types = {"x": "const int16_t *", "halves": "int32_t *", "channels": "int32_t"}
    body = (
        "  int32_t lower = 0, upper = 0;\n"
        + assembly(_squaring(), ["x", "channels", "lower", "upper"])
        + "  halves[0] = lower;\n  halves[1] = upper;\n"
    )
    with prim_func("square_meaning") as tir:
        channels = tir.dim("channels")
        x = tir.tensor("x", (channels,), "int16")
        halves = tir.tensor("halves", (2,), "int32")
        for half in range(2):
            tir.store(halves, half, 0)
            with tir.loop("c", channels) as c:
                tir.store(halves, half, halves[half] + _half(widened(x[c]) * widened(x[c]), half))
    name = "te_rvv_square"
    return intrinsic(name, types, body, tir.prim_func, ("channels",))


def _half(value: Expr, half: int) -> Expr:
    return T.truncdiv(value, _HALF) if half else T.truncmod(value, _HALF)


def _squaring() -> Iterator[str]:
    yield "vsetivli zero, 1, e32, m1, ta, ma"
    yield "vmv.v.i v24, 0"
    yield "vmv.v.i v25, 0"
    yield f"li t1, {_HALF - 1}"
    yield "1:"
    yield "vsetvli t0, {channels}, e16, m4, ta, ma"
    yield "vle16.v v0, ({x})"
    yield "vwmul.vv v8, v0, v0"
    yield "vsetvli zero, zero, e32, m8, ta, ma"
    yield "vsrl.vi v16, v8, 16"
    yield "vand.vx v8, v8, t1"
    yield "vredsum.vs v24, v8, v24"
    yield "vredsum.vs v25, v16, v25"
    yield "sub {channels}, {channels}, t0"
    yield "slli t0, t0, 1"
    yield "add {x}, {x}, t0"
    yield "bnez {channels}, 1b"
    yield "vmv.x.s {lower}, v24"
    yield "vmv.x.s {upper}, v25"


@cache
def scale_row() -> Intrinsic:
    """Return the intrinsic that scales a row.

    Parameters: ``x`` int16 (channels), ``scale``, 0 to 32767, and ``bits`` of
    ``round(x * scale / 2**bits)``; ``result`` int8 (channels), ``channels``, at least 1.
    """
    types = {
        "x": "const int16_t *",
        "scale": "int32_t",
        "bits": "int32_t",
        "result": "int8_t *",
        "channels": "int32_t",
    }
    read = {"scale": "scale", "bits": "bits", "half": "(int32_t)1 << (bits - 1)"}
    body = assembly(_scaling(), ["x", "result", "channels"], read)
    with prim_func("scale_row_meaning") as tir:
        channels = tir.dim("channels")
        x = tir.tensor("x", (channels,), "int16")
        scale, bits = tir.scalar("scale"), tir.scalar("bits")
        result = tir.tensor("result", (channels,), "int8")
        with tir.loop("c", channels) as c:
            scaled = arithmetic("int32", "round_shift", widened(x[c]) * scale, bits)
            tir.store(result, c, saturate(scaled, "int8"))
    name = "te_rvv_scale_row"
    return intrinsic(name, types, body, tir.prim_func, ("channels",))


def _scaling() -> Iterator[str]:
    yield "1:"
    yield "vsetvli t0, {channels}, e16, m4, ta, ma"
    yield "vle16.v v0, ({x})"
    yield "vwmul.vx v8, v0, {scale}"
    yield "vsetvli zero, zero, e32, m8, ta, ma"
    yield "vadd.vx v8, v8, {half}"
    yield "vsra.vx v8, v8, {bits}"
    yield from narrowed(8, 16, "int8")
    yield "vse8.v v16, ({result})"
    yield "add {result}, {result}, t0"
    yield "sub {channels}, {channels}, t0"
    yield "slli t0, t0, 1"
    yield "add {x}, {x}, t0"
    yield "bnez {channels}, 1b"
