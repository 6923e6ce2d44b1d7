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
from tvm_embbert.strategy.kernels.tir import prim_func
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel
from tvm_embbert.strategy.registry import register_implementation

WIDEST = 2**15 - 1
"""Channels whose squares' lower halves add up within 31 bits."""

# te_norm_exponent without its loop, as there is no instruction that counts leading zeros.
_FACTORS = """\
  const uint64_t squares = (uint64_t)epsilon + (uint32_t)lower + ((uint64_t)(uint32_t)upper << 16);
  const uint32_t high = (uint32_t)(squares >> 32);
  uint32_t rest = high != 0u ? high : (uint32_t)squares;
  int32_t size = high != 0u ? 32 : 0;
  for (int32_t half = 16; half != 0; half >>= 1) {
    if (rest >> half != 0u) {
      rest >>= half;
      size += half;
    }
  }
  size += rest != 0u;
  const int32_t exponent = size - 32 + (size & 1);
  const uint64_t t = exponent > 0 ? squares >> exponent : squares << -exponent;
  const uint32_t inverse = (UINT32_C(1) << 31) / te_integer_square_root((uint32_t)t);
  const int32_t scale = (int32_t)(((uint32_t)gain * inverse) >> 16);
  const int32_t bits = shift + 15 + exponent / 2;
"""


@register_implementation
class RvvRMSNorm(Implementation):
    """A row at a time."""

    operator = "rms_norm"
    isa = "rv32-zve32x"
    priority = 20

    def reject(self, call: IntegerCall) -> str:
        """Take rows whose sums of halves fit 32 bits."""
        channels = int(call.output.shape[-1])
        return f"{channels} channels are more than {WIDEST}" if channels > WIDEST else ""

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel; epsilon, gain and shift are scalars."""
        tensor, *scalars = call.args
        return Kernel(
            rms_norm(tensor.shape[-1]),
            (),
            scalars=tuple(scalars),
            dims={"rows": call.rows},
            intrinsics=(normalize(),),
        )


def rms_norm(channels: int) -> Any:
    """Return the PrimFunc over rows of `channels` int16 elements."""
    with prim_func("rms_norm_rvv") as tir:
        rows = tir.dim("rows")
        x = tir.tensor("x", (rows, channels), "int16")
        scalars = (tir.scalar("epsilon", "int64"), tir.scalar("gain"), tir.scalar("shift"))
        result = tir.tensor("result", (rows, channels), "int8")
        with tir.loop("i", rows) as i:
            normalize()(address(x[i, 0]), *scalars, address(result[i, 0]), channels)
    return tir.prim_func


@cache
def normalize() -> Intrinsic:
    """Return the intrinsic that normalises a row.

    Parameters: ``x`` int16 (channels), ``epsilon``, ``gain`` and ``shift`` as in the operator;
    ``result`` int8 (channels), ``channels``, 1 to 32767.
    """
    types = {
        "x": "const int16_t *",
        "epsilon": "int64_t",
        "gain": "int32_t",
        "shift": "int32_t",
        "result": "int8_t *",
        "channels": "int32_t",
    }
    read = {"scale": "scale", "bits": "bits", "half": "(int32_t)1 << (bits - 1)"}
    body = (
        "  const int16_t *row = x;\n  int32_t left = channels, lower = 0, upper = 0;\n"
        + assembly(_squaring(), ["row", "left", "lower", "upper"])
        + _FACTORS
        + assembly(_scaling(), ["x", "result", "channels"], read)
    )
    return intrinsic("te_rvv_normalize", types, body, _normalized(), ("channels",))


def _squaring() -> Iterator[str]:
    yield "vsetivli zero, 1, e32, m1, ta, ma"
    yield "vmv.v.i v24, 0"
    yield "vmv.v.i v25, 0"
    yield f"li t1, {2**16 - 1}"
    yield "1:"
    yield "vsetvli t0, {left}, e16, m4, ta, ma"
    yield "vle16.v v0, ({row})"
    yield "vwmul.vv v8, v0, v0"
    yield "vsetvli zero, zero, e32, m8, ta, ma"
    yield "vsrl.vi v16, v8, 16"
    yield "vand.vx v8, v8, t1"
    yield "vredsum.vs v24, v8, v24"
    yield "vredsum.vs v25, v16, v25"
    yield "sub {left}, {left}, t0"
    yield "slli t0, t0, 1"
    yield "add {row}, {row}, t0"
    yield "bnez {left}, 1b"
    yield "vmv.x.s {lower}, v24"
    yield "vmv.x.s {upper}, v25"


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


def _normalized() -> Any:
    with prim_func("normalize_meaning") as tir:
        channels = tir.dim("channels")
        x = tir.tensor("x", (channels,), "int16")
        epsilon = tir.scalar("epsilon", "int64")
        gain, shift = tir.scalar("gain"), tir.scalar("shift")
        result = tir.tensor("result", (channels,), "int8")
        squares = tir.local("squares", "int64")
        tir.store(squares, 0, epsilon)
        with tir.loop("c", channels) as c:
            tir.accumulate(squares, 0, T.Cast("int64", widened(x[c]) * widened(x[c])))
        scale = arithmetic("int32", "norm_multiplier", squares[0], gain)
        bits = arithmetic("int32", "norm_shift", squares[0], shift)
        with tir.loop("c", channels) as c:
            scaled = arithmetic("int32", "round_shift", widened(x[c]) * scale, bits)
            tir.store(result, c, saturate(scaled, "int8"))
    return tir.prim_func
