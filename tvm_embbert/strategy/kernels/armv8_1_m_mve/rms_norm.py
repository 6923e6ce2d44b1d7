"""RMSNorm: squares by pairs into 64 bits, one square root a row, eight channels scaled at once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import call as arithmetic
from tvm_embbert.strategy.kernels.arithmetic import saturate, widened
from tvm_embbert.strategy.kernels.armv8_1_m_mve.assembly import assembly, intrinsic
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic, address
from tvm_embbert.strategy.kernels.tir import prim_func
from tvm_embbert.strategy.knobs import Config, Knob
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel
from tvm_embbert.strategy.registry import register_implementation


@register_implementation
class MveRMSNorm(Implementation):
    """One intrinsic a row."""

    operator = "rms_norm"
    isa = "armv8.1-m-mve"
    priority = 20

    def knobs(self, call: IntegerCall) -> tuple[Knob, ...]:
        """Offer loads of several vectors to rows that they divide."""
        channels = int(call.output.shape[-1])
        vectors = tuple(n for n in (1, 2, 4, 8) if channels % (8 * n) == 0)
        return (Knob("vectors", vectors, 1),) if vectors else ()

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel; epsilon, gain and shift are scalars."""
        tensor, *scalars = call.args
        made = normalize(tensor.shape[-1], int(config.get("vectors", 1)))
        return Kernel(
            rms_norm(tensor.shape[-1], made),
            (),
            scalars=tuple(scalars),
            dims={"rows": call.rows},
            intrinsics=(made,),
        )


def rms_norm(channels: int, made: Intrinsic) -> Any:
    """Return the PrimFunc over rows of `channels` int16 elements, each made by an intrinsic."""
    with prim_func("rms_norm_mve") as tir:
        rows = tir.dim("rows")
        x = tir.tensor("x", (rows, channels), "int16")
        epsilon = tir.scalar("epsilon", "int64")
        gain, shift = tir.scalar("gain"), tir.scalar("shift")
        result = tir.tensor("result", (rows, channels), "int8")
        with tir.loop("i", rows) as i:
            row = (address(x[i, 0]), epsilon, gain, shift, address(result[i, 0]))
            made(*row)
    return tir.prim_func


@cache
def normalize(channels: int, vectors: int = 1) -> Intrinsic:
    """Return the intrinsic for a row; a load takes up to `vectors` vectors.

    Parameters: ``x`` int16 (channels), ``epsilon`` int64, ``gain``, ``shift``, ``result`` int8
    (channels).
    """
    types = {
        "x": "const int16_t *",
        "epsilon": "int64_t",
        "gain": "int32_t",
        "shift": "int32_t",
        "result": "int8_t *",
    }
    if vectors == 1:
        squares = assembly(_squaring(), ["low", "high", "y"], {"count": str(channels)})
        scaled = assembly(_scaling(channels), ["x", "result"], _FACTORS)
    else:
        squares = assembly(_squaring_multiple(channels, vectors), ["low", "high", "y"])
        scaled = assembly(_scaling_multiple(channels), ["x", "result"], _FACTORS)
    body = f"{_BEGIN}{squares}{_SCALE}{scaled}"
    name = f"te_mve_normalize_{channels}{f'_{vectors}' * (vectors > 1)}"
    return intrinsic(name, types, body, _normalized(channels))


_FACTORS = {"multiplier": "multiplier", "bits": "-bits"}
_BEGIN = """\
  const int16_t *y = x;
  uint32_t low = (uint32_t)epsilon, high = (uint32_t)((uint64_t)epsilon >> 32);
"""
# As te_norm_exponent and the functions beside it: leading zeros in one instruction, and two of
# Newton's steps to a square root that is at most one off.
_SCALE = """\
  const uint64_t sum = ((uint64_t)high << 32) | low;
  int32_t exponent = 32 - __builtin_clzll(sum);
  exponent += exponent & 1;
  const uint32_t t = (uint32_t)(exponent > 0 ? sum >> exponent : sum << -exponent);
  uint32_t root = (t >> 17) + (t >> 19) + 22000u;
  root = (root + t / root) >> 1;
  root = (root + t / root) >> 1;
  root = root > 65535u ? 65535u : root;
  root -= root * root > t;
  root += root < 65535u && (root + 1u) * (root + 1u) <= t;
  const int32_t multiplier = (int32_t)(((uint32_t)gain * ((UINT32_C(1) << 31) / root)) >> 16);
  const int32_t bits = shift + 15 + exponent / 2;
"""


def _squaring() -> Iterator[str]:
    yield "mov r0, {low}"
    yield "mov r1, {high}"
    yield "wlstp.16 lr, {count}, 2f"
    yield "1:"
    yield "vldrh.u16 q0, [{y}], #16"
    yield "vmlaldava.s16 r0, r1, q0, q0"
    yield "letp lr, 1b"
    yield "2:"
    yield "mov {low}, r0"
    yield "mov {high}, r1"


def _squaring_multiple(channels: int, vectors: int) -> Iterator[str]:
    """Yield the sum of squares with loads of several vectors."""
    yield "mov r0, {low}"
    yield "mov r1, {high}"
    yield f"mov lr, #{channels // (8 * vectors)}"
    yield "dls lr, lr"
    yield "1:"
    yield f"vldmia {{y}}!, {{{{d0-d{2 * vectors - 1}}}}}"
    for vector in range(vectors):
        yield f"vmlaldava.s16 r0, r1, q{vector}, q{vector}"
    yield "le lr, 1b"
    yield "mov {low}, r0"
    yield "mov {high}, r1"


def _scaling_multiple(channels: int) -> Iterator[str]:
    """Yield the steps of all channels, sixteen at a time."""
    yield "vdup.16 q7, {multiplier}"
    yield f"mov lr, #{channels // 16}"
    yield "dls lr, lr"
    yield "1:"
    yield "vldmia {x}!, {{d0-d3}}"
    for source in (0, 1):
        even, odd = 2 + 2 * source, 3 + 2 * source
        yield f"vmullb.s16 q{even}, q{source}, q7"
        yield f"vmullt.s16 q{odd}, q{source}, q7"
        yield f"vrshl.s32 q{even}, {{bits}}"
        yield f"vrshl.s32 q{odd}, {{bits}}"
        yield f"vqmovnb.s32 q{even}, q{even}"
        yield f"vqmovnt.s32 q{even}, q{odd}"
        yield f"vqmovnb.s16 q{even}, q{even}"
        yield f"vstrb.16 q{even}, [{{result}}], #8"
    yield "le lr, 1b"


def _scaling(channels: int) -> Iterator[str]:
    """Yield the steps of all channels, eight at a time.

    A loop with tail predication would write halves of products where their number is odd.
    """
    groups, tail = divmod(channels, 8)
    yield "vdup.16 q1, {multiplier}"
    if groups:
        yield f"mov lr, #{groups}"
        yield "dls lr, lr"
        yield "1:"
        yield from _scale_eight("")
        yield "le lr, 1b"
    if tail:
        yield f"mov lr, #{tail}"
        yield "vctp.16 lr"
        yield from _scale_eight("t")


def _scale_eight(then: str) -> Iterator[str]:
    """Yield the products of even and odd channels, rounded and narrowed together again."""
    if then:
        yield "vpst"
    yield f"vldrh{then}.u16 q0, [{{x}}], #16"
    yield "vmullb.s16 q2, q0, q1"
    yield "vmullt.s16 q3, q0, q1"
    yield "vrshl.s32 q2, {bits}"
    yield "vrshl.s32 q3, {bits}"
    yield "vqmovnb.s32 q2, q2"
    yield "vqmovnt.s32 q2, q3"
    yield "vqmovnb.s16 q2, q2"
    if then:
        yield "vpst"
    yield f"vstrb{then}.16 q2, [{{result}}], #8"


def _normalized(channels: int) -> Any:
    with prim_func(f"normalize_{channels}_meaning") as tir:
        x = tir.tensor("x", (channels,), "int16")
        epsilon = tir.scalar("epsilon", "int64")
        gain, shift = tir.scalar("gain"), tir.scalar("shift")
        result = tir.tensor("result", (channels,), "int8")
        squares = tir.local("squares", "int64")
        tir.store(squares, 0, epsilon)
        with tir.loop("c", channels) as c:
            tir.accumulate(squares, 0, T.Cast("int64", widened(x[c]) * widened(x[c])))
        with tir.loop("c", channels) as c:
            multiplier = arithmetic("int32", "norm_multiplier", squares[0], gain)
            bits = arithmetic("int32", "norm_shift", squares[0], shift)
            scaled = arithmetic("int32", "round_shift", widened(x[c]) * multiplier, bits)
            tir.store(result, c, saturate(scaled, "int8"))
    return tir.prim_func
