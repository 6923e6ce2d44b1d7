"""Causal depthwise convolution: a channel of a group of rows at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.intrinsic import Intrinsic, address
from tvm_embbert.strategy.kernels.scalar.burst_taps import MOST_TAPS, burst_taps
from tvm_embbert.strategy.kernels.scalar.form import (
    ARM,
    BURST,
    LONG,
    LONG_STEPS,
    RISCV,
    RISCV_SPLIT,
    ROWS,
    SPLIT,
    UNROLL,
    Block,
    lone_row,
)
from tvm_embbert.strategy.kernels.scalar.taps import neighbours, taps
from tvm_embbert.strategy.kernels.tir import prim_func
from tvm_embbert.strategy.knobs import Config, Knob
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel, Tensor
from tvm_embbert.strategy.registry import register_implementation

GROUPS = (8, 12, 16, 24, 32)
"""Rows that share the words of a channel: multiples of those that are summed together."""


class ScalarCausalConvolution(Implementation):
    """Needs a group of rows of a channel as scratch, neighbours in a word."""

    operator = "causal_convolution"
    priority = 5

    def reject(self, call: IntegerCall) -> str:
        """Take several rows."""
        return lone_row(call.rows)

    def knobs(self, call: IntegerCall) -> tuple[Knob, ...]:
        """Return the group's rows, those summed together, and how their loop is unrolled."""
        ways = (Knob("multiply", (LONG, SPLIT, BURST), LONG),) if self.isa == ARM else ()
        return (
            Knob("group", GROUPS, 8),
            Knob("rows", ROWS, 8),
            *ways,
            Knob("unroll", UNROLL, 32 if self.isa == ARM else 8),
        )

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel for the call's channels, taps and shift."""
        x, weight, bias, multiplier, shift = call.args
        number, group = weight.shape[0], int(config["group"])
        block = self._block(config, number)
        form = _Form(x.shape[-1], weight.shape[1], number, group, shift, block)
        return Kernel(
            _convolution(form),
            (np.ascontiguousarray(weight.T), bias, multiplier),
            scratch=(Tensor("words", (form.words,), "int32"),),
            row_block=block.rows,
            dims={"rows": call.rows},
            window=number - 1,
            intrinsics=form.intrinsics,
        )

    def _block(self, config: Config, number: int) -> Block:
        rows, unroll = int(config["rows"]), int(config["unroll"])
        if self.isa == RISCV:
            return Block(rows, 1, unroll, RISCV_SPLIT)
        wanted = str(config["multiply"])
        if wanted == BURST and number > MOST_TAPS:
            wanted = LONG
        return Block(rows, 1, unroll, wanted if number <= LONG_STEPS else SPLIT)


@register_implementation
class ArmCausalConvolution(ScalarCausalConvolution):
    """With long sums where they fit."""

    isa = ARM


@register_implementation
class RiscvCausalConvolution(ScalarCausalConvolution):
    """With split sums."""

    isa = RISCV


@dataclass(frozen=True)
class _Form:
    inputs: int
    outputs: int
    taps: int
    group: int
    shift: int
    block: Block

    @property
    def words(self) -> int:
        """Return the words that sums of whole blocks read."""
        whole = -(-self.group // self.block.rows) * self.block.rows
        return self.taps + whole - 1

    @property
    def intrinsics(self) -> tuple[Intrinsic, ...]:
        made = burst_taps if self.block.multiply == BURST else taps
        return neighbours(self.block.bits), made(self.block, self.taps)


def _convolution(form: _Form) -> Any:
    with prim_func("causal_convolution_scalar") as tir:
        rows, before = tir.dim("rows"), tir.dim("before")
        x = tir.tensor("x", (before + rows, form.inputs), "int8")
        weight = tir.tensor("weight", (form.outputs, form.taps), "int8")
        bias = tir.tensor("bias", (form.outputs,), "int32")
        multiplier = tir.tensor("multiplier", (form.outputs,), "int32")
        result = tir.tensor("result", (rows, form.outputs), "int8")
        words = tir.tensor("words", (form.words,), "int32")
        copies = form.outputs // form.inputs
        groups = T.truncdiv(rows + form.group - 1, form.group)
        pack, convolve = form.intrinsics
        with tir.loop("g", groups) as g, tir.loop("c", form.inputs) as c:
            first = g * form.group
            count = T.min(rows - first, form.group)
            packed = address(words[0])
            pack(address(x[0, 0]), first, c, packed, form.taps, count, before, rows, form.inputs)
            for n in range(copies):
                o = c * copies + n
                numbers = (bias[o], multiplier[o], form.shift)
                to = address(result[first, o])
                convolve(packed, address(weight[o, 0]), *numbers, to, count, form.outputs)
    return tir.prim_func
