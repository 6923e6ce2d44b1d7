"""Causal depthwise convolution: blocks of channels, two taps before each widening."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import requantize, widened
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic, address
from tvm_embbert.strategy.kernels.rv32_zve32x.assembly import assembly, intrinsic
from tvm_embbert.strategy.kernels.rv32_zve32x.channels import (
    PRODUCTS,
    add_products,
    all_channels,
    block_channels,
    load_words,
    store_narrowed,
)
from tvm_embbert.strategy.kernels.tir import prim_func
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel
from tvm_embbert.strategy.registry import register_implementation

WIDEST = 2047
"""Bytes of a row: the largest step to the next one within an instruction."""
_UNROLLED = 4


@register_implementation
class RvvCausalConvolution(Implementation):
    """Reads the input in place: there is no padded copy."""

    operator = "causal_convolution"
    isa = "rv32-zve32x"
    priority = 20

    def reject(self, call: IntegerCall) -> str:
        """Take one output a channel, the same lane of both operands."""
        x, weight, *_ = call.args
        inputs, outputs = int(x.shape[-1]), int(weight.shape[1])
        if inputs != outputs:
            return f"{outputs // inputs} outputs share a channel"
        return f"{inputs} channels are more than {WIDEST}" if inputs > WIDEST else ""

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel for the call's channels, taps and shift."""
        _, weight, bias, multiplier, shift = call.args
        taps, channels = weight.shape
        form = Form(channels, taps, shift, bool(weight.min() > -128))
        return Kernel(
            causal_convolution(form),
            (weight, bias, multiplier),
            dims={"rows": call.rows},
            window=taps - 1,
            intrinsics=(convolve(form.channels, form.shift, form.paired),),
        )


@dataclass(frozen=True)
class Form:
    """What a kernel is specialised for; `paired` if 16 bits hold the products of two taps."""

    channels: int
    taps: int
    shift: int
    paired: bool


def causal_convolution(form: Form) -> Any:
    """Return the PrimFunc of a form."""
    taps, channels = form.taps, form.channels
    with prim_func("causal_convolution_rvv") as tir:
        rows, before = tir.dim("rows"), tir.dim("before")
        x = tir.tensor("x", (before + rows, channels), "int8")
        weight = tir.tensor("weight", (taps, channels), "int8")
        bias = tir.tensor("bias", (channels,), "int32")
        multiplier = tir.tensor("multiplier", (channels,), "int32")
        result = tir.tensor("result", (rows, channels), "int8")
        with tir.loop("i", rows) as i:
            count = T.min(before + i + 1, taps)
            first = address(x[before + i + 1 - count, 0])
            scale = (address(bias[0]), address(multiplier[0]))
            out = address(result[i, 0])
            made = convolve(channels, form.shift, form.paired)
            made(first, address(weight[taps - count, 0]), *scale, out, count)
    return tir.prim_func


@cache
def convolve(channels: int, shift: int, paired: bool) -> Intrinsic:
    """Return the intrinsic that computes a row of the result.

    Parameters: ``x`` and ``w`` int8 (taps, channels), ``bias`` and ``multiplier`` int32 (channels),
    ``result`` int8 (channels), ``taps``. If `paired`, no weight is -128.
    """
    types = {
        "x": "const int8_t *",
        "w": "const int8_t *",
        "bias": "const int32_t *",
        "multiplier": "const int32_t *",
        "result": "int8_t *",
        "taps": "int32_t",
    }
    name = f"te_rvv_convolve_{channels}_{shift}{'_paired' * paired}"
    body = assembly(_convolving(channels, shift, paired), list(types)[:-1], {"taps": "taps"})
    meaning = _convolved(channels, shift)
    return intrinsic(name, types, body, meaning, ("taps",))


def _convolving(channels: int, shift: int, paired: bool) -> Iterator[str]:
    yield f"li t1, {channels}"
    yield "1:"
    yield "vsetvli t0, t1, e8, m4, ta, ma"
    yield from load_words("bias", (0, 8))
    yield "mv t2, {x}"
    yield "mv t3, {w}"
    yield "mv t4, {taps}"
    yield from _taps(channels, paired)
    yield from load_words("multiplier", (16, 24))
    yield all_channels("e32, m8")
    for sums in (0, 8):
        if shift:
            yield f"vsll.vi v{sums}, v{sums}, {shift}"
        yield f"vmulh.vv v{sums}, v{sums}, v{16 + sums}"
    yield from store_narrowed()
    for pointer in ("x", "w", "result"):
        yield f"add {{{pointer}}}, {{{pointer}}}, t0"
    yield "sub t1, t1, t0"
    yield "slli t0, t0, 2"
    yield "add {bias}, {bias}, t0"
    yield "add {multiplier}, {multiplier}, t0"
    yield "bnez t1, 1b"


def _taps(channels: int, paired: bool) -> Iterator[str]:
    """Yield the loops over taps: t2 is the row of the input, t3 of the weights, t4 counts."""
    if paired:
        yield "2:"
        yield f"sltiu t5, t4, {_UNROLLED}"
        yield "bnez t5, 3f"
        for _ in range(0, _UNROLLED, 2):
            yield from _add(channels, 2)
        yield f"addi t4, t4, -{_UNROLLED}"
        yield "j 2b"
    yield "3:"
    yield "beqz t4, 4f"
    yield from _add(channels, 1)
    yield "addi t4, t4, -1"
    yield "j 3b"
    yield "4:"


def _add(channels: int, taps: int) -> Iterator[str]:
    """Yield the sums of one tap or two."""
    yield block_channels()
    for tap in range(taps):
        yield "vle8.v v24, (t2)"
        yield f"addi t2, t2, {channels}"
        yield "vle8.v v28, (t3)"
        yield f"addi t3, t3, {channels}"
        yield f"{'vwmacc' if tap else 'vwmul'}.vv v{PRODUCTS}, v24, v28"
    yield from add_products()


def _convolved(channels: int, shift: int) -> Any:
    with prim_func(f"convolve_{channels}_{shift}_meaning") as tir:
        taps = tir.dim("taps")
        x, w = (tir.tensor(n, (taps, channels), "int8") for n in ("x", "w"))
        bias = tir.tensor("bias", (channels,), "int32")
        multiplier = tir.tensor("multiplier", (channels,), "int32")
        result = tir.tensor("result", (channels,), "int8")
        total = tir.local("total", "int32")
        with tir.loop("c", channels) as c:
            tir.store(total, 0, bias[c])
            with tir.loop("t", taps) as t:
                tir.accumulate(total, 0, widened(x[t, c]) * widened(w[t, c]))
            tir.store(result, c, requantize(total[0], multiplier[c], shift, "int8"))
    return tir.prim_func
