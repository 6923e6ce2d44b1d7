"""Attention: blocks of rows, whose scores turn into weights where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.attention import distance_limit
from tvm_embbert.strategy.kernels.armv7e_m_dsp.context import context
from tvm_embbert.strategy.kernels.armv7e_m_dsp.context_block import BlockContextForm, block_context
from tvm_embbert.strategy.kernels.armv7e_m_dsp.scores import HIDDEN, ScoresForm, scores, turn_of
from tvm_embbert.strategy.kernels.armv7e_m_dsp.scores_block import (
    WORDS,
    BlockScoresForm,
    block_scores,
)
from tvm_embbert.strategy.kernels.armv7e_m_dsp.weights import weights
from tvm_embbert.strategy.kernels.armv7e_m_dsp.weights_block import block_weights
from tvm_embbert.strategy.kernels.armv7e_m_dsp.widen import GROUP, ROWS, widen
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic, address
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func
from tvm_embbert.strategy.knobs import Config, Knob
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel, Tensor
from tvm_embbert.strategy.registry import register_implementation

WIDEST = 508
"""Channels whose scores surely fit 24 bits."""
SPLIT = "split"
"""The block of four rows whose scores take 24 bits; others are rows and words, such as ``4x2``."""


@register_implementation
class DspAttention(Implementation):
    """Needs the scores of a block's rows as scratch, and their queries in 16 bits."""

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

    def knobs(self, call: IntegerCall) -> tuple[Knob, ...]:
        """Return the block, and what a turn of each inner loop takes.

        Blocks other than ``split`` keep scores in 32 bits: 4 bytes a row and key and not 3.
        """
        own = (f"{rows}x{words}" for rows, many in WORDS.items() for words in many)
        return (
            Knob("block", (*own, SPLIT), SPLIT),
            Knob("groups", (1, 2, 4, 8, 16, 32), 8),
            Knob("exponents", (1, 2, 4, 8), 1),
            Knob("pairs", (4, 8, 16, 32), 8),
        )

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel; what calibration decides is passed to it, but for the shifts."""
        *tensors, table, multiplier, shift, numerator, context_shift = call.args
        keys, width = tensors[1].shape[0], int(tensors[0].shape[-1])
        turns = _Turns(*(int(config[n]) for n in ("groups", "exponents", "pairs")))
        shifts = shift, context_shift
        alone = tensors[0].name not in {t.name for t in tensors[1:]}
        form = _Form(width, len(tensors) == 4, *shifts, str(config["block"]), turns)
        return Kernel(
            _attention(form),
            (table,),
            scalars=(distance_limit(multiplier, shift), multiplier, numerator),
            scratch=tuple(Tensor(*place) for place in form.scratch(keys)),
            row_block=form.rows,
            dims={"rows": call.rows, "keys": keys},
            # Queries of a block are widened before its rows are written.
            in_place=tensors[0].name if form.block != SPLIT and alone else "",
            intrinsics=form.intrinsics,
        )


@dataclass(frozen=True)
class _Turns:
    """Words of a key, pairs of scores and pairs of keys that turns of the inner loops take."""

    groups: int
    exponents: int
    pairs: int


@dataclass(frozen=True)
class _Form:
    width: int
    masked: bool
    shift: int
    context_shift: int
    block: str
    turns: _Turns

    @property
    def rows(self) -> int:
        return ROWS if self.block == SPLIT else int(self.block.split("x")[0])

    def scratch(self, keys: Any) -> list[tuple[str, tuple[Any, ...], str]]:
        """Return name, shape and type of each buffer."""
        wide = ("wide", (self.width // GROUP, 2, self.rows, 2), "int16")
        if self.block == SPLIT:
            split = [("low", (keys, ROWS), "int16"), ("high", (keys, ROWS), "int8")]
            return [wide, *split, ("sums", (3, ROWS), "int32")]
        return [wide, ("scores", (keys, self.rows, 2), "int16"), ("sums", (2, self.rows), "int32")]

    @property
    def intrinsics(self) -> tuple[Intrinsic, ...]:
        turns, rows = self.turns, self.rows
        if self.block == SPLIT:
            score = scores(ScoresForm(self.width, self.masked, turns.groups))
            weigh = weights(self.shift > 0, turns.exponents)
            return widen("int8"), score, weigh, context(self.width, turns.pairs)
        groups, words = turn_of(self.width // GROUP, turns.groups), int(self.block.split("x")[1])
        score = block_scores(BlockScoresForm(self.width, self.masked, rows, words, groups))
        weigh = block_weights(rows, self.shift > 0, turns.exponents)
        mix = block_context(BlockContextForm(self.width, rows, turns.pairs))
        return widen("int8", rows), score, weigh, mix


@dataclass(frozen=True)
class _Buffers:
    q: Buffer
    k: Buffer
    v: Buffer
    hidden: Buffer | None
    table: Buffer
    scalars: tuple[Expr, Expr, Expr]
    result: Buffer
    scratch: list[Buffer]


def _attention(form: _Form) -> Any:
    with prim_func("attention_dsp") as tir:
        rows, keys = tir.dim("rows"), tir.dim("keys")
        buffers = _declare(tir, form, rows, keys)
        with tir.loop("block", T.truncdiv(rows + form.rows - 1, form.rows)) as block:
            first = block * form.rows
            compute = _compute if form.block == SPLIT else _compute_whole
            compute(buffers, form, (first, T.min(rows - first, form.rows)), keys)
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
        [tir.tensor(*place) for place in form.scratch(keys)],
    )


def _compute(b: _Buffers, form: _Form, rows: tuple[Expr, Expr], keys: Expr) -> None:
    """Compute up to four rows from the first on."""
    first, count = rows
    widened, score, weigh, mix = form.intrinsics
    *places, sums = b.scratch
    wide, low, high = (address(s[(0,) * len(s.shape)]) for s in places)
    tops, totals, last = (address(sums[n, 0]) for n in range(3))
    mask = [] if b.hidden is None else [address(b.hidden[0])]
    limit, multiplier, numerator = b.scalars
    widened(address(b.q[first, 0]), wide, count, form.width)
    score(wide, address(b.k[0, 0]), *mask, low, high, last, tops, keys)
    scaling = (limit, multiplier, form.shift)
    weigh(low, high, last, tops, address(b.table[0]), *scaling, low, totals, keys)
    scaling = (totals, numerator, form.context_shift)
    mix(low, last, address(b.v[0, 0]), *scaling, address(b.result[first, 0]), keys, count)


def _compute_whole(b: _Buffers, form: _Form, rows: tuple[Expr, Expr], keys: Expr) -> None:
    """Compute up to a block's rows from the first on, with scores of 32 bits."""
    first, count = rows
    widened, score, weigh, mix = form.intrinsics
    *places, sums = b.scratch
    wide, found = (address(s[(0,) * len(s.shape)]) for s in places)
    totals, last = (address(sums[n, 0]) for n in range(2))
    mask = [] if b.hidden is None else [address(b.hidden[0])]
    limit, multiplier, numerator = b.scalars
    widened(address(b.q[first, 0]), wide, count, form.width)
    score(wide, address(b.k[0, 0]), *mask, found, keys)
    weigh(found, address(b.table[0]), limit, multiplier, form.shift, found, last, totals, keys)
    scaling = (totals, numerator, form.context_shift)
    mix(found, last, address(b.v[0, 0]), *scaling, address(b.result[first, 0]), keys, count)
