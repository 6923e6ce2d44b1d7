"""Causal depthwise convolution: windows of four channels side by side, eight rows at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.armv8_1_m_mve.assembly import LANES
from tvm_embbert.strategy.kernels.armv8_1_m_mve.convolutions import convolve, window_of
from tvm_embbert.strategy.kernels.armv8_1_m_mve.windows import (
    CHANNELS,
    gather_rows,
    gather_window,
)
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic, address
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func
from tvm_embbert.strategy.knobs import Config, Knob
from tvm_embbert.strategy.operator import Array, Implementation, IntegerCall, Kernel, Tensor
from tvm_embbert.strategy.registry import register_implementation

MOST_TAPS = 32
MOST_CHANNELS = 4096
"""Eight rows are stored by offsets of 16 bits."""
_STORED = MOST_CHANNELS * 8
_BLOCKS = (4, 8, 12, 16)
_GROUPS = (1, 2, 4, 8, 16)
GATHER = Knob("gather", ("placed", "direct"), "placed")
"""Whether rows are looked up where none of a window is missing, too."""
SUMS = Knob("sums", ("registers", "memory"), "registers")
"""How sums go from general registers to vectors."""


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

    def knobs(self, call: IntegerCall) -> tuple[Knob, ...]:
        """Offer rows and channels that are computed together: they share a window, or a call."""
        _, channels = call.args[1].shape
        blocks = tuple(b for b in _BLOCKS if b * channels <= _STORED)
        groups = tuple(g for g in _GROUPS if channels // CHANNELS % g == 0)
        return (Knob("rows", blocks, 8), Knob("groups", groups, 1), GATHER, SUMS)

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Put each channel's taps side by side, the last one last in whole vectors."""
        _, weight, bias, multiplier, shift = call.args
        taps, channels = weight.shape
        form = Form(
            taps,
            channels,
            shift,
            int(config["rows"]),
            int(config["groups"]),
            config["gather"] == "direct",
            config["sums"] == "memory",
        )
        return Kernel(
            causal_convolution(form),
            (_by_channel(weight, form.reach), np.stack([bias, multiplier], axis=1)),
            scratch=(
                Tensor("window", (form.together, form.window), "int8"),
                Tensor("places", (form.window,), "int32"),
            ),
            row_block=form.rows,
            dims={"rows": call.rows},
            window=form.window - form.rows if form.direct else form.taps - 1,
            intrinsics=form.intrinsics,
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
    rows: int
    groups: int
    direct: bool
    stored: bool

    @property
    def intrinsics(self) -> tuple[Intrinsic, ...]:
        """Return all that the kernel calls."""
        direct = (self.gather_rows,) if self.direct else ()
        return (self.gather, *direct, self.convolve)

    @property
    def spare(self) -> int:
        """Return the rows of a window that no result sees."""
        return self.window - (self.reach - 1 + self.rows)

    @property
    def gather_rows(self) -> Intrinsic:
        """Return what brings rows side by side where none is missing."""
        return gather_rows(self.window, self.groups, self.channels)

    @property
    def together(self) -> int:
        """Return the channels that a call computes."""
        return CHANNELS * self.groups

    @property
    def gather(self) -> Intrinsic:
        """Return what brings the rows of the channels side by side."""
        return gather_window(self.window, self.groups)

    @property
    def convolve(self) -> Intrinsic:
        """Return what computes the rows of the channels."""
        return convolve(self.reach, self.shift, self.rows, self.together, self.stored)

    @property
    def reach(self) -> int:
        """Return the taps in whole vectors."""
        return -(-self.taps // LANES) * LANES

    @property
    def window(self) -> int:
        """Return the rows that a block sees, in whole vectors."""
        return window_of(self.reach, self.rows)


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
            tir.tensor("window", (form.together, form.window), "int8"),
            tir.tensor("places", (form.window,), "int32"),
        )
        with tir.loop("block", T.truncdiv(rows + form.rows - 1, form.rows)) as block:
            first = block * form.rows
            count = T.min(rows - first, form.rows)
            seen = (before + first, before + rows)
            if form.direct:
                with tir.when(_is_inside(form, *seen)):
                    _compute_block(tir, form, b, (first, count, *seen), True)
                with tir.when(T.Not(_is_inside(form, *seen))):
                    _place_rows(tir, form, b, seen)
                    _compute_block(tir, form, b, (first, count, *seen), False)
            else:
                _place_rows(tir, form, b, seen)
                _compute_block(tir, form, b, (first, count, *seen), False)
    return tir.prim_func


def _is_inside(form: Form, first: Expr, end: Expr) -> Expr:
    """Return whether all rows of a window that ends with the block are there."""
    return T.And(first + form.rows >= form.window, first + form.rows <= end)


def _compute_block(
    tir: Tir, form: Form, b: _Buffers, rows: tuple[Expr, Expr, Expr, Expr], inside: bool
) -> None:
    """Compute a block of rows: its first, how many, the first and the end in the input."""
    first, count, place, end = rows
    with tir.loop("c", form.channels // form.together) as c:
        channel = c * form.together
        _gather(form, b, (place, end, channel), inside)
        form.convolve(
            address(b.window[0, form.spare if inside else 0]),
            address(b.weight[channel, 0]),
            address(b.scale[channel, 0]),
            address(b.result[first, channel]),
            count,
            form.channels,
        )


def _gather(form: Form, b: _Buffers, place: tuple[Expr, Expr, Expr], inside: bool) -> None:
    """Bring the rows of some channels side by side."""
    first, end, channel = place
    window = address(b.window[0, 0])
    if inside:
        begin = first + form.rows - form.window
        length = (end - begin) * form.channels - channel
        form.gather_rows(address(b.x[begin, channel]), window, length)
    else:
        length = end * form.channels - channel
        form.gather(address(b.x[0, channel]), address(b.places[0]), window, length)


def _place_rows(tir: Tir, form: Form, b: _Buffers, range_: tuple[Expr, Expr]) -> None:
    """Store how many bytes from the first row those of a window are, -1 where there is none."""
    first, end = range_
    with tir.loop("p", form.window) as p:
        row = first + p - (form.reach - 1)
        inside = T.And(row >= 0, row < end)
        tir.store(b.places, p, T.if_then_else(inside, row * form.channels, -1))
