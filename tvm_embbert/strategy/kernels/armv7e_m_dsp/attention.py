"""Attention: blocks of four rows, whose scores turn into weights where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.attention import distance_limit
from tvm_embbert.strategy.kernels.armv7e_m_dsp.context import context
from tvm_embbert.strategy.kernels.armv7e_m_dsp.scores import HIDDEN, ScoresForm, scores
from tvm_embbert.strategy.kernels.armv7e_m_dsp.weights import weights
from tvm_embbert.strategy.kernels.armv7e_m_dsp.widen import GROUP, ROWS, widen
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic, address
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel, Tensor
from tvm_embbert.strategy.registry import register_implementation

WIDEST = 508
"""Channels whose scores surely fit 24 bits."""


@register_implementation
class DspAttention(Implementation):
    """Needs the scores of four rows as scratch, and their queries in 16 bits."""

    operator = "attention"
    isa = "armv7e-m-dsp"
    priority = 10

    def reject(self, call: IntegerCall) -> str:
        """Take widths of whole words, and tables that end with 0 as those of exponentials do."""
        width, (table, multiplier, shift) = int(call.output.shape[-1]), call.args[-5:-2]
        if width % GROUP or width > WIDEST:
            return f"{width} channels are no multiple of {GROUP} up to {WIDEST}"
        if table[-1] != 0:
            return "the table's last entry is not 0"
        furthest = -HIDDEN - width * 2**14
        seen = len(call.tensors) < 4 or shift or multiplier * furthest >= 256 << 32
        return "" if seen else "the table reaches so far that a hidden key is within"

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel; what calibration decides is passed to it, but for the shifts."""
        *tensors, table, multiplier, shift, numerator, context_shift = call.args
        keys = tensors[1].shape[0]
        form = _Form(tensors[0].shape[-1], len(tensors) == 4, shift, context_shift)
        return Kernel(
            _attention(form),
            (table,),
            scalars=(distance_limit(multiplier, shift), multiplier, numerator),
            scratch=(
                Tensor("wide", (form.width // GROUP, 2, ROWS, 2), "int16"),
                Tensor("low", (keys, ROWS), "int16"),
                Tensor("high", (keys, ROWS), "int8"),
                Tensor("sums", (3, ROWS), "int32"),
            ),
            row_block=ROWS,
            dims={"rows": call.rows, "keys": keys},
            intrinsics=form.intrinsics,
        )


@dataclass(frozen=True)
class _Form:
    width: int
    masked: bool
    shift: int
    context_shift: int

    @property
    def intrinsics(self) -> tuple[Intrinsic, ...]:
        score = scores(ScoresForm(self.width, self.masked))
        return widen("int8"), score, weights(self.shift > 0), context(self.width)


@dataclass(frozen=True)
class _Buffers:
    q: Buffer
    k: Buffer
    v: Buffer
    hidden: Buffer | None
    table: Buffer
    scalars: tuple[Expr, Expr, Expr]
    result: Buffer
    wide: Buffer
    low: Buffer
    high: Buffer
    sums: Buffer


def _attention(form: _Form) -> Any:
    with prim_func("attention_dsp") as tir:
        rows, keys = tir.dim("rows"), tir.dim("keys")
        buffers = _declare(tir, form, rows, keys)
        with tir.loop("block", T.truncdiv(rows + ROWS - 1, ROWS)) as block:
            first = block * ROWS
            _compute(buffers, form, (first, T.min(rows - first, ROWS)), keys)
    return tir.prim_func


def _declare(tir: Tir, form: _Form, rows: Expr, keys: Expr) -> _Buffers:
    return _Buffers(
        tir.tensor("q", (rows, form.width), "int8"),
        tir.tensor("k", (keys, form.width), "int8"),
        tir.tensor("v", (keys, form.width), "int8"),
        tir.tensor("hidden", (keys,), "bool") if form.masked else None,
        tir.tensor("table", (256,), "int8"),
        (tir.scalar("limit"), tir.scalar("multiplier"), tir.scalar("numerator")),
        tir.tensor("result", (rows, form.width), "int8"),
        tir.tensor("wide", (form.width // GROUP, 2, ROWS, 2), "int16"),
        tir.tensor("low", (keys, ROWS), "int16"),
        tir.tensor("high", (keys, ROWS), "int8"),
        tir.tensor("sums", (3, ROWS), "int32"),
    )


def _compute(b: _Buffers, form: _Form, rows: tuple[Expr, Expr], keys: Expr) -> None:
    """Compute up to four rows from the first on."""
    first, count = rows
    widened, score, weigh, mix = form.intrinsics
    wide, low, high = address(b.wide[0, 0, 0, 0]), address(b.low[0, 0]), address(b.high[0, 0])
    tops, totals, last = (address(b.sums[n, 0]) for n in range(3))
    mask = [] if b.hidden is None else [address(b.hidden[0])]
    limit, multiplier, numerator = b.scalars
    widened(address(b.q[first, 0]), wide, count, form.width)
    score(wide, address(b.k[0, 0]), *mask, low, high, last, tops, keys)
    scaling = (limit, multiplier, form.shift)
    weigh(low, high, last, tops, address(b.table[0]), *scaling, low, totals, keys)
    scaling = (totals, numerator, form.context_shift)
    mix(low, last, address(b.v[0, 0]), *scaling, address(b.result[first, 0]), keys, count)
