"""Attention: blocks of rows, whose scores turn into weights where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.attention import distance_limit
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic, address
from tvm_embbert.strategy.kernels.scalar.burst_contexts import burst_contexts
from tvm_embbert.strategy.kernels.scalar.burst_scores import burst_scores
from tvm_embbert.strategy.kernels.scalar.contexts import contexts
from tvm_embbert.strategy.kernels.scalar.entries import weight_entries
from tvm_embbert.strategy.kernels.scalar.entry_contexts import entry_contexts
from tvm_embbert.strategy.kernels.scalar.form import (
    ARM,
    BURST,
    FURTHEST,
    LONG,
    LONG_STEPS,
    RISCV,
    Block,
    block_knobs,
    block_of,
    lone_row,
    row_knobs,
)
from tvm_embbert.strategy.kernels.scalar.scores import ScoresForm, scores
from tvm_embbert.strategy.kernels.scalar.weights import weights
from tvm_embbert.strategy.kernels.scalar.words import words
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func
from tvm_embbert.strategy.knobs import Config, Knob
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel, Tensor
from tvm_embbert.strategy.registry import register_implementation

KEYS = 6
"""Keys that a load reaches, for which the kernel is worth taking."""


class ScalarAttention(Implementation):
    """Needs the scores of a block of rows as scratch, and queries as words of two or three rows.

    The result may take the queries' place: those of a block are packed first.
    """

    operator = "attention"
    priority = 5

    def reject(self, call: IntegerCall) -> str:
        """Take several rows, of widths for which a load reaches all keys of a block."""
        width, most = int(call.output.shape[-1]), FURTHEST[self.isa] // (KEYS + 1)
        wide = f"{width} channels are more than {most}" if width > most else ""
        return wide or lone_row(call.rows)

    def knobs(self, call: IntegerCall) -> tuple[Knob, ...]:
        """Return the block's rows, and its outputs and loop for scores and for contexts."""
        width = int(call.output.shape[-1])
        return (
            *row_knobs(self.isa),
            *block_knobs(self.isa, KEYS, "score_"),
            *block_knobs(self.isa, width, "context_"),
        )

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel; what calibration decides is passed to it, but for the shifts."""
        *tensors, table, multiplier, shift, numerator, context_shift = call.args
        keys, width = tensors[1].shape[0], int(tensors[0].shape[-1])
        if width > LONG_STEPS and config.get("multiply") == BURST:
            config = {**config, "multiply": LONG}
        score = block_of(self.isa, config, width <= LONG_STEPS, prefix="score_", apart=width)
        stride = 1 if score.triple else width
        mix = block_of(self.isa, config, True, stride, "context_")
        form = _Form(score, mix, width, len(tensors) == 4, shift, context_shift)
        return Kernel(
            _attention(form),
            (table,),
            scalars=(distance_limit(multiplier, shift), multiplier, numerator),
            scratch=(
                Tensor("words", (width, score.words), "int32"),
                Tensor("scores", (keys, score.rows), "int32", form.keys_multiple),
                Tensor("sums", (form.sums, score.rows), "int32"),
            ),
            row_block=score.rows,
            dims={"rows": call.rows, "keys": keys},
            in_place=tensors[0].name,
            intrinsics=form.intrinsics,
        )


@register_implementation
class ArmAttention(ScalarAttention):
    """With long sums where they fit."""

    isa = ARM


@register_implementation
class RiscvAttention(ScalarAttention):
    """With split or triple sums."""

    isa = RISCV


@dataclass(frozen=True)
class _Form:
    score: Block
    mix: Block
    width: int
    masked: bool
    shift: int
    context_shift: int

    @property
    def listed(self) -> bool:
        """Return whether weights are a list of the keys that count."""
        return self.mix.triple or self.mix.multiply == BURST

    @property
    def keys_multiple(self) -> int:
        """Return what the keys of the scores are rounded up to: entries are whole loads."""
        return 4 if self.listed else 1

    @property
    def sums(self) -> int:
        """Return the rows of sums: tops, totals and, for a list, the number of entries."""
        return 3 if self.listed else 2

    @property
    def intrinsics(self) -> tuple[Intrinsic, ...]:
        """Return what packs rows, scores keys, weighs them, and takes the mean of values."""
        burst = self.mix.multiply == BURST
        score = (burst_scores if burst else scores)(ScoresForm(self.score, self.width, self.masked))
        return words(self.score), score, *(self._by_entries(burst) if self.listed else self._all())

    def _by_entries(self, burst: bool) -> tuple[Intrinsic, Intrinsic]:
        weigh = weight_entries(self.mix, self.width, self.masked, self.shift > 0)
        return weigh, (burst_contexts if burst else entry_contexts)(self.mix, self.width)

    def _all(self) -> tuple[Intrinsic, Intrinsic]:
        weigh = weights(self.mix, self.masked, self.shift > 0)
        return weigh, contexts(self.mix, self.width)


@dataclass(frozen=True)
class _Buffers:
    q: Buffer
    k: Buffer
    v: Buffer
    hidden: Buffer | None
    table: Buffer
    scalars: tuple[Expr, Expr, Expr]
    result: Buffer
    words: Buffer
    scores: Buffer
    sums: Buffer


def _attention(form: _Form) -> Any:
    size = form.score.rows
    with prim_func("attention_scalar") as tir:
        rows, keys = tir.dim("rows"), tir.dim("keys")
        buffers = _declare(tir, form, rows, keys)
        with tir.loop("block", T.truncdiv(rows + size - 1, size)) as block:
            first = block * size
            _compute(buffers, form, (first, T.min(rows - first, size)), keys)
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
        tir.tensor("words", (form.width, form.score.words), "int32"),
        tir.tensor("scores", (keys, form.score.rows), "int32"),
        tir.tensor("sums", (form.sums, form.score.rows), "int32"),
    )


def _compute(b: _Buffers, form: _Form, rows: tuple[Expr, Expr], keys: Expr) -> None:
    """Compute a block of rows from the first on."""
    first, count = rows
    pack, score, weigh, mix = form.intrinsics
    packed, scored = address(b.words[0, 0]), address(b.scores[0, 0])
    tops, totals = address(b.sums[0, 0]), address(b.sums[1, 0])
    mask = [] if b.hidden is None else [address(b.hidden[0])]
    limit, multiplier, numerator = b.scalars
    pack(address(b.q[first, 0]), packed, count, form.width)
    score(packed, address(b.k[0, 0]), *mask, scored, tops, keys)
    scaling = (limit, multiplier, form.shift)
    weigh(scored, *mask, tops, address(b.table[0]), *scaling, scored, totals, keys)
    mixing = (totals, numerator, form.context_shift)
    mix(scored, address(b.v[0, 0]), *mixing, address(b.result[first, 0]), keys, count)
