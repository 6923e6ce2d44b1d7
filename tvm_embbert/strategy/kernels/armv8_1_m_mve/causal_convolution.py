"""Causal depthwise convolution: windows of four channels side by side, eight rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import requantize, widened
from tvm_embbert.strategy.kernels.armv8_1_m_mve.assembly import (
    LANES,
    SUMS,
    assembly,
    interleaved,
    intrinsic,
)
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic, address
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.strategy.operator import Array, Implementation, IntegerCall, Kernel, Tensor
from tvm_embbert.strategy.registry import register_implementation

BLOCK = 8
"""Rows that are computed together."""
CHANNELS = 4
MOST_TAPS = 32
MOST_CHANNELS = 4096
"""Eight rows are stored by offsets of 16 bits."""


@register_implementation
class MveCausalConvolution(Implementation):
    """Needs windows of four channels as scratch."""

    operator = "causal_convolution"
    isa = "armv8.1-m-mve"
    priority = 20

    def reject(self, call: IntegerCall) -> str:
        """Take one output a channel, and taps that fit two vectors."""
        x, weight, *_ = call.args
        taps, outputs = weight.shape
        if outputs != x.shape[-1]:
            return "more than one output a channel"
        if outputs % CHANNELS:
            return f"{outputs} channels are no multiple of {CHANNELS}"
        if outputs > MOST_CHANNELS:
            return f"{outputs} channels are more than {MOST_CHANNELS}"
        return f"{taps} taps are more than {MOST_TAPS}" if taps > MOST_TAPS else ""

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Put each channel's taps side by side, the last one last in whole vectors."""
        _, weight, bias, multiplier, shift = call.args
        taps, channels = weight.shape
        form = Form(taps, channels, shift)
        return Kernel(
            causal_convolution(form),
            (_by_channel(weight, form.reach), np.stack([bias, multiplier], axis=1)),
            scratch=(
                Tensor("window", (CHANNELS, form.window), "int8"),
                Tensor("places", (form.window,), "int32"),
            ),
            row_block=BLOCK,
            dims={"rows": call.rows},
            window=form.taps - 1,
            intrinsics=(gather_window(form.window), convolve(form.reach, shift)),
        )


def _by_channel(weight: Array, reach: int) -> Array:
    """Return the taps (channels, reach), zeros in front."""
    taps, channels = weight.shape
    filled = np.zeros((channels, reach), np.int8)
    filled[:, reach - taps :] = weight.T
    return filled


@dataclass(frozen=True)
class Form:
    """What a kernel is specialised for."""

    taps: int
    channels: int
    shift: int

    @property
    def reach(self) -> int:
        """Return the taps in whole vectors."""
        return -(-self.taps // LANES) * LANES

    @property
    def window(self) -> int:
        """Return the rows that a block sees, in whole vectors."""
        return _window(self.reach)


@cache
def gather_window(window: int) -> Intrinsic:
    """Return the intrinsic that brings the rows of four channels side by side.

    Parameters: ``x`` int8 (length) from the first channel on, at whole words; ``places`` int32
    (window), bytes from there to each row, below 0 where the row is zero; ``result`` int8 (4,
    window), ``length``.
    """
    types = {
        "x": "const int8_t *",
        "places": "const int32_t *",
        "result": "int8_t *",
        "length": "int32_t",
    }
    name = f"te_mve_gather_window_{window}"
    body = "  int32_t taken[16];\n  (void)length;\n" + assembly(
        _gathering(window), ["places", "result"], {"x": "x", "taken": "taken"}
    )
    with prim_func(f"gather_window_{window}_meaning") as tir:
        length = tir.dim("length")
        x = tir.tensor("x", (length,), "int8")
        places = tir.tensor("places", (window,), "int32")
        result = tir.tensor("result", (CHANNELS, window), "int8")
        with tir.loop("c", CHANNELS) as c, tir.loop("p", window) as p:
            value = x[T.max(places[p], 0) + c]
            tir.store(result, (c, p), T.if_then_else(places[p] < 0, T.int8(0), value))
    return intrinsic(name, types, body, tir.prim_func, ("length",))


def _gathering(window: int) -> Iterator[str]:
    yield f"mov lr, #{window // LANES}"
    yield "dls lr, lr"
    yield "1:"
    for register in range(4):
        yield "vldrw.u32 q4, [{places}], #16"
        yield "vpt.s32 ge, q4, zr"
        yield f"vldrwt.u32 q{register}, [{{x}}, q4]"
    yield "vstmia {taken}, {{d0-d7}}"
    for register in range(4):
        yield f"vld4{register}.8 {{{{q0, q1, q2, q3}}}}, [{{taken}}]"
    for register in (1, 2, 3):
        yield f"vstrw.32 q{register}, [{{result}}, #{register * window}]"
    yield "vstrw.32 q0, [{result}], #16"
    yield "le lr, 1b"


@cache
def convolve(reach: int, shift: int) -> Intrinsic:
    """Return the intrinsic that computes up to eight rows of four channels.

    Parameters: ``window`` int8 (4, as many rows as eight see), ``weight`` int8 (4, reach),
    ``scale`` int32 (4, 2), bias and multiplier; ``result`` int8 (rows, step) from the first channel
    on, ``rows``, ``step``.
    """
    types = {
        "window": "const int8_t *",
        "weight": "const int8_t *",
        "scale": "const int32_t *",
        "result": "int8_t *",
        "rows": "int32_t",
        "step": "int32_t",
    }
    name = f"te_mve_convolve_{reach}_{shift}"
    body = f"  int32_t left = {CHANNELS};\n"
    changed = ["window", "weight", "scale", "result", "left"]
    kept = {"step": "step", "end": "rows * step"}
    body += assembly(_convolving(reach, shift), changed, wide=kept)
    meaning = _convolved(reach, shift)
    return intrinsic(name, types, body, meaning, ("rows", "step"))


def _convolving(reach: int, shift: int) -> Iterator[str]:
    """Yield a channel's sums of eight rows in general registers, then in q2 and q3.

    q7 has the rows' places in the result, in the order that narrowing leaves; q6 their end.
    """
    vectors = reach // LANES
    yield from interleaved("q7")
    yield "vmov r0, {step}"
    yield "vmul.i16 q7, q7, r0"
    yield "vmov r0, {end}"
    yield "vdup.16 q6, r0"
    yield "1:"
    for vector in range(vectors):
        yield f"vldrb.u8 q{vector}, [{{weight}}], #16"
    for row, total in enumerate(SUMS):
        for vector in range(vectors):
            yield f"vldrb.u8 q{2 + vector}, [{{window}}, #{row + vector * LANES}]"
        for vector in range(vectors):
            what = "vmladava" if vector else "vmladav"
            yield f"{what}.s8 {total}, q{2 + vector}, q{vector}"
    for half in range(2):
        a, b, c, d = SUMS[4 * half : 4 * half + 4]
        yield f"vmov q{2 + half}[2], q{2 + half}[0], {a}, {c}"
        yield f"vmov q{2 + half}[3], q{2 + half}[1], {b}, {d}"
    yield "ldrd r0, r2, [{scale}], #8"
    yield "vdup.32 q4, r2"
    for register in (2, 3):
        yield f"vadd.i32 q{register}, q{register}, r0"
        if shift:
            yield f"vshl.i32 q{register}, q{register}, #{shift}"
        yield f"vmulh.s32 q{register}, q{register}, q4"
    yield "vqmovnb.s32 q2, q2"
    yield "vqmovnt.s32 q2, q3"
    yield "vqmovnb.s16 q2, q2"
    yield "vpt.s16 gt, q6, q7"
    yield "vstrbt.16 q2, [{result}, q7]"
    yield "add {result}, #1"
    yield f"add {{window}}, #{_window(reach)}"
    yield "subs {left}, #1"
    yield "bne 1b"


def _window(reach: int) -> int:
    return -(-(reach - 1 + BLOCK) // LANES) * LANES


def _convolved(reach: int, shift: int) -> Any:
    with prim_func(f"convolve_{reach}_{shift}_meaning") as tir:
        rows, step = tir.dim("rows"), tir.dim("step")
        window = tir.tensor("window", (CHANNELS, _window(reach)), "int8")
        weight = tir.tensor("weight", (CHANNELS, reach), "int8")
        scale = tir.tensor("scale", (CHANNELS, 2), "int32")
        result = tir.tensor("result", (rows, step), "int8")
        total = tir.local("total", "int32")
        with tir.loop("i", rows) as i, tir.loop("c", CHANNELS) as c:
            tir.store(total, 0, scale[c, 0])
            with tir.loop("t", reach) as t:
                tir.accumulate(total, 0, widened(window[c, i + t]) * widened(weight[c, t]))
            tir.store(result, (i, c), requantize(total[0], scale[c, 1], shift, "int8"))
    return tir.prim_func


@dataclass(frozen=True)
class _Buffers:
    x: Buffer
    weight: Buffer
    scale: Buffer
    result: Buffer
    window: Buffer
    places: Buffer


def causal_convolution(form: Form) -> Any:
    """Return the PrimFunc."""
    with prim_func("causal_convolution_mve") as tir:
        rows, before = tir.dim("rows"), tir.dim("before")
        b = _Buffers(
            tir.tensor("x", (before + rows, form.channels), "int8"),
            tir.tensor("weight", (form.channels, form.reach), "int8"),
            tir.tensor("scale", (form.channels, 2), "int32"),
            tir.tensor("result", (rows, form.channels), "int8"),
            tir.tensor("window", (CHANNELS, form.window), "int8"),
            tir.tensor("places", (form.window,), "int32"),
        )
        with tir.loop("block", T.truncdiv(rows + BLOCK - 1, BLOCK)) as block:
            first = block * BLOCK
            _place_rows(tir, form, b, (before + first, before + rows))
            with tir.loop("c", form.channels // CHANNELS) as c:
                _compute(form, b, c * CHANNELS, (first, T.min(rows - first, BLOCK), before + rows))
    return tir.prim_func


def _place_rows(tir: Tir, form: Form, b: _Buffers, range_: tuple[Expr, Expr]) -> None:
    """Store how many bytes from the first row those of a window are, -1 where there is none."""
    first, end = range_
    with tir.loop("p", form.window) as p:
        row = first + p - (form.reach - 1)
        inside = T.And(row >= 0, row < end)
        tir.store(b.places, p, T.if_then_else(inside, row * form.channels, -1))


def _compute(form: Form, b: _Buffers, channel: Expr, rows: tuple[Expr, Expr, Expr]) -> None:
    """Compute a block of rows of four channels."""
    first, count, seen = rows
    window = address(b.window[0, 0])
    gather_window(form.window)(
        address(b.x[0, channel]), address(b.places[0]), window, seen * form.channels - channel
    )
    convolve(form.reach, form.shift)(
        window,
        address(b.weight[channel, 0]),
        address(b.scale[channel, 0]),
        address(b.result[first, channel]),
        count,
        form.channels,
    )
