"""Attention in blocks of up to eight rows: pairs are scored, all share each look at the values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.attention import distance_limit
from tvm_embbert.strategy.kernels.arithmetic import call as arithmetic
from tvm_embbert.strategy.kernels.armv8_1_m_mve.assembly import LANES
from tvm_embbert.strategy.kernels.armv8_1_m_mve.contexts import (
    CHANNELS,
    begin,
    finish,
    mix,
    transpose,
)
from tvm_embbert.strategy.kernels.armv8_1_m_mve.dot import COLUMNS, ROWS, pack_rows
from tvm_embbert.strategy.kernels.armv8_1_m_mve.scores import score_key, score_quarters
from tvm_embbert.strategy.kernels.armv8_1_m_mve.weights import GROUP, order_mask, weigh
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic, address
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel, Tensor
from tvm_embbert.strategy.registry import register_implementation

BLOCK = 8
"""Rows that are computed together."""
WIDEST = 256
_PAIR_SUMS = CHANNELS * ROWS * 4
_SUMS = BLOCK // ROWS * _PAIR_SUMS
"""Bytes of the sums of eight channels: a multiple of a group, too."""
_PLACES = 3 * LANES
"""Keys of 16 positions, which repeat, and of up to 32 that are left over or pad; 16 bits each."""


@register_implementation
class MveAttention(Implementation):
    """Needs scores of two rows, weights of eight and the mask as scratch."""

    operator = "attention"
    isa = "armv8.1-m-mve"
    priority = 20

    def reject(self, call: IntegerCall) -> str:
        """Take rows of whole vectors, whose loops are written out."""
        width = int(call.output.shape[-1])
        if width % LANES:
            return f"{width} channels are no multiple of {LANES}"
        return f"{width} channels are more than {WIDEST}" if width > WIDEST else ""

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel; what calibration decides is passed to it, but for the shifts."""
        *tensors, table, multiplier, shift, numerator, context_shift = call.args
        keys = tensors[1].shape[0]
        form = Form(tensors[0].shape[-1], len(tensors) == 4, shift, context_shift)
        limit = (distance_limit(multiplier, shift),) if shift else ()
        return Kernel(
            attention(form),
            (table,),
            scalars=(*limit, multiplier, numerator),
            scratch=form.scratch(keys),
            row_block=BLOCK,
            dims={"rows": call.rows, "keys": keys},
            intrinsics=form.intrinsics,
        )


@dataclass(frozen=True)
class Form:
    """What a kernel is specialised for."""

    width: int
    masked: bool
    shift: int
    context_shift: int

    def scratch(self, keys: int | str) -> tuple[Tensor, ...]:
        """Return the kernel's memory.

        Eight channels of the values take the place of the scores, sums that of the mask. Packed
        queries lie where the weights of their pair will be; these therefore have room for them.
        """
        room = -(-self.width // GROUP) * GROUP
        return (
            Tensor("scores", (keys, ROWS), "int32", multiple=GROUP),
            Tensor("weights", (keys, BLOCK), "int8", multiple=room),
            Tensor("mask", (keys,), "int8", multiple=_SUMS),
            Tensor("places", (_PLACES,), "int16"),
            Tensor("scales", (BLOCK // ROWS, 2 * ROWS), "int32"),
        )

    @property
    def intrinsics(self) -> tuple[Intrinsic, ...]:
        """Return all that the kernel calls."""
        scores = (pack_rows(self.width), score_quarters(self.width), score_key(self.width))
        masks = (order_mask(),) if self.masked else ()
        contexts = (transpose(self.width), begin(), mix(), finish(self.context_shift))
        return (*scores, *masks, weigh(self.shift), *contexts)


@dataclass(frozen=True)
class _Buffers:
    q: Buffer
    k: Buffer
    v: Buffer
    hidden: Buffer | None
    table: Buffer
    limit: list[Expr]
    multiplier: Expr
    numerator: Expr
    result: Buffer
    scores: Buffer
    weights: Buffer
    mask: Buffer
    places: Buffer
    scales: Buffer


@dataclass(frozen=True)
class _Sizes:
    """Keys in all, in a quarter, in the quarters together, and in whole groups."""

    keys: Expr
    quarter: Expr
    ordered: Expr
    groups: Expr

    @staticmethod
    def of(keys: Expr) -> _Sizes:
        quarter = T.truncdiv(keys, COLUMNS)
        return _Sizes(keys, quarter, quarter * COLUMNS, T.truncdiv(keys + GROUP - 1, GROUP))

    @property
    def chunks(self) -> Expr:
        """Return the chunks of 16 positions that the quarters fill."""
        return T.truncdiv(self.quarter, 4)


def attention(form: Form) -> Any:
    """Return the PrimFunc."""
    with prim_func("attention_mve") as tir:
        rows, keys = tir.dim("rows"), tir.dim("keys")
        b, sizes = _declare(tir, form, rows, keys), _Sizes.of(keys)
        total = tir.local("total", "int32")
        with tir.loop("block", T.truncdiv(rows + BLOCK - 1, BLOCK)) as block:
            first = block * BLOCK
            count = T.min(rows - first, BLOCK)
            _order_mask(tir, b, sizes)
            with tir.loop("pair", T.truncdiv(count + 1, ROWS)) as pair:
                row = first + pair * ROWS
                _score(tir, form, b, sizes, (pair, row, T.min(row + 1, rows - 1)))
                _weigh(form, b, sizes, pair)
                _scale(tir, form, b, pair, total)
            _place_keys(tir, form, b, sizes)
            _mix(tir, form, b, sizes, (first, count))
    return tir.prim_func


def _declare(tir: Tir, form: Form, rows: Expr, keys: Expr) -> _Buffers:
    q = tir.tensor("q", (rows, form.width), "int8")
    k = tir.tensor("k", (keys, form.width), "int8")
    v = tir.tensor("v", (keys, form.width), "int8")
    hidden = tir.tensor("hidden", (keys,), "bool") if form.masked else None
    table = tir.tensor("table", (256,), "int8")
    limit = [tir.scalar("limit")] if form.shift else []
    multiplier, numerator = tir.scalar("multiplier"), tir.scalar("numerator")
    result = tir.tensor("result", (rows, form.width), "int8")
    groups = T.truncdiv(keys + GROUP - 1, GROUP)
    return _Buffers(
        q,
        k,
        v,
        hidden,
        table,
        limit,
        multiplier,
        numerator,
        result,
        tir.tensor("scores", (groups * GROUP * ROWS,), "int32"),
        tir.tensor("weights", (groups * GROUP * BLOCK,), "int8"),
        tir.tensor("mask", (groups * GROUP,), "int8"),
        tir.tensor("places", (_PLACES,), "int16"),
        tir.tensor("scales", (BLOCK // ROWS, 2 * ROWS), "int32"),
    )


def _order_mask(tir: Tir, b: _Buffers, sizes: _Sizes) -> None:
    """Bring the mask to the order of the scores; what pads the keys is hidden."""
    if b.hidden is None:
        with tir.loop("p", sizes.keys) as p:
            tir.store(b.mask, p, T.int8(0))
    else:
        with tir.when(sizes.quarter > 0):
            order_mask()(address(b.hidden[0]), address(b.mask[0]), sizes.quarter)
        with tir.loop("p", sizes.keys, start=sizes.ordered) as p:
            tir.store(b.mask, p, T.Cast("int8", b.hidden[p]))
    with tir.loop("p", sizes.groups * GROUP, start=sizes.keys) as p:
        tir.store(b.mask, p, T.int8(1))


def _place_keys(tir: Tir, form: Form, b: _Buffers, sizes: _Sizes) -> None:
    """Store which keys those of 16 positions are, which repeat, and those of the last ones."""
    with tir.loop("m", 4) as m, tir.loop("i", COLUMNS) as i:
        tir.store(b.places, m * COLUMNS + i, T.Cast("int16", m + i * sizes.quarter))
    first = sizes.chunks * LANES
    with tir.loop("p", sizes.groups * GROUP - first) as p:
        position = first + p
        quartered = T.truncdiv(position, COLUMNS) + position % COLUMNS * sizes.quarter
        after = T.min(position, sizes.keys - 1)
        key = T.if_then_else(position < sizes.ordered, quartered, after)
        tir.store(b.places, LANES + p, T.Cast("int16", key))


def _score(
    tir: Tir, form: Form, b: _Buffers, sizes: _Sizes, place: tuple[Expr, Expr, Expr]
) -> None:
    """Store the products of a pair of rows with each key."""
    pair, *rows = place
    packed = address(b.weights[pair * (sizes.groups * GROUP * ROWS)])
    pack_rows(form.width)(*(address(b.q[row, 0]) for row in rows), packed)
    with tir.when(sizes.quarter > 0):
        score_quarters(form.width)(packed, address(b.k[0, 0]), address(b.scores[0]), sizes.quarter)
    with tir.loop("j", sizes.keys, start=sizes.ordered) as j:
        at = sizes.ordered * ROWS + (j - sizes.ordered)
        score_key(form.width)(packed, address(b.k[j, 0]), address(b.scores[at]))


def _weigh(form: Form, b: _Buffers, sizes: _Sizes, pair: Expr) -> None:
    """Store the weights of a pair of rows, and their totals where the multipliers will be."""
    weigh(form.shift)(
        address(b.scores[0]),
        address(b.mask[0]),
        address(b.table[0]),
        arithmetic("int32", "rounding_offset", b.multiplier, form.shift),
        *b.limit,
        b.multiplier,
        address(b.weights[pair * (sizes.groups * GROUP * ROWS)]),
        address(b.scales[pair, 0]),
        sizes.groups,
    )


def _scale(tir: Tir, form: Form, b: _Buffers, pair: Expr, inverse: Buffer) -> None:
    """Store the multipliers and rounding offsets of a pair of rows."""
    for row in range(ROWS):
        total = T.max(b.scales[pair, row], 1)
        tir.store(inverse, 0, T.truncdiv(b.numerator, total))
        offset = arithmetic("int32", "rounding_offset", inverse[0], form.context_shift)
        tir.store(b.scales, (pair, row), inverse[0])
        tir.store(b.scales, (pair, ROWS + row), offset)


def _mix(tir: Tir, form: Form, b: _Buffers, sizes: _Sizes, block: tuple[Expr, Expr]) -> None:
    """Store the contexts of a block of rows, eight channels at a time."""
    first, count = block
    pairs = T.truncdiv(count + 1, ROWS)
    begin()(address(b.scales[0, 0]), address(b.mask[0]), pairs)
    with tir.loop("c", form.width // CHANNELS) as c:
        channel = c * CHANNELS
        for half in range(ROWS):
            _transpose(tir, form, b, sizes, (channel, half))
        mix()(address(b.weights[0]), address(b.scores[0]), address(b.mask[0]), sizes.groups, pairs)
        whole = T.truncdiv(count, ROWS)
        sums, scales = address(b.mask[0]), address(b.scales[0, 0])
        with tir.when(whole > 0):
            place = address(b.result[first, channel])
            finish(form.context_shift)(sums, scales, place, form.width, whole)
        with tir.when(whole < pairs):
            sums, scales = address(b.mask[whole * _PAIR_SUMS]), address(b.scales[whole, 0])
            place = address(b.result[first + count - 1, channel])
            finish(form.context_shift)(sums, scales, place, 0, 1)


def _transpose(tir: Tir, form: Form, b: _Buffers, sizes: _Sizes, place: tuple[Expr, int]) -> None:
    """Bring four channels of all keys together, a chunk of positions at a time."""
    channel, half = place
    source = address(b.v[0, channel + half * COLUMNS])
    size = sizes.groups * GROUP
    at, done = half * size, sizes.chunks
    length = sizes.keys * form.width - channel - half * COLUMNS
    brought = transpose(form.width)
    with tir.when(done > 0):
        target = address(b.scores[at])
        brought(source, address(b.places[0]), target, done, length)
    with tir.loop("t", sizes.groups * 2 - done) as t:
        target = address(b.scores[at + (done + t) * LANES])
        brought(source, address(b.places[LANES + t * LANES]), target, 1, length)
