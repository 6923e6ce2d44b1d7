"""Attention in blocks of up to eight rows: pairs are scored, all share each look at the values."""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.attention import distance_limit
from tvm_embbert.strategy.kernels.arithmetic import call as arithmetic
from tvm_embbert.strategy.kernels.armv8_1_m_mve.assembly import LANES
from tvm_embbert.strategy.kernels.armv8_1_m_mve.attention_form import (
    BLOCK,
    LOADS,
    MIX_UNROLL,
    PAIR_SUMS,
    SCORE_UNROLL,
    WEIGHTS,
    Form,
)
from tvm_embbert.strategy.kernels.armv8_1_m_mve.contexts import CHANNELS, begin, transpose
from tvm_embbert.strategy.kernels.armv8_1_m_mve.dot import COLUMNS, ROWS, pack_rows
from tvm_embbert.strategy.kernels.armv8_1_m_mve.keys import (
    Buffers,
    Sizes,
    declare,
    order_keys,
    order_keys_by_bytes,
    place_keys,
)
from tvm_embbert.strategy.kernels.armv8_1_m_mve.scores import score_key
from tvm_embbert.strategy.kernels.armv8_1_m_mve.sixteen import transpose_eight, weigh_sixteen
from tvm_embbert.strategy.kernels.armv8_1_m_mve.weights import GROUP, weigh
from tvm_embbert.strategy.kernels.intrinsic import address
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func
from tvm_embbert.strategy.knobs import Config, Knob
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel
from tvm_embbert.strategy.registry import register_implementation

WIDEST = 256


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

    def knobs(self, call: IntegerCall) -> tuple[Knob, ...]:
        """Offer sixteen weights at once where the scale has no shift."""
        shift = call.args[-3]
        fixed = (BLOCK, SCORE_UNROLL, MIX_UNROLL, LOADS)
        return fixed if shift else (*fixed, WEIGHTS)

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel; what calibration decides is passed to it, but for the shifts."""
        *tensors, table, multiplier, shift, numerator, _ = call.args
        keys = tensors[1].shape[0]
        form = Form.of(call, config)
        alone = tensors[0].name not in {t.name for t in tensors[1:]}
        limit = (distance_limit(multiplier, shift),) if shift else ()
        return Kernel(
            attention(form),
            (table,),
            scalars=(*limit, multiplier, numerator),
            scratch=form.scratch(keys),
            row_block=form.block,
            dims={"rows": call.rows, "keys": keys},
            intrinsics=form.intrinsics,
            # The queries of a block are scored before its rows are written.
            in_place=tensors[0].name if alone else "",
        )


def attention(form: Form) -> Any:
    """Return the PrimFunc."""
    with prim_func("attention_mve") as tir:
        rows, keys = tir.dim("rows"), tir.dim("keys")
        b, sizes = declare(tir, form, rows, keys), Sizes.of(keys)
        total = tir.local("total", "int32")
        with tir.loop("block", T.truncdiv(rows + form.block - 1, form.block)) as block:
            first = block * form.block
            count = T.min(rows - first, form.block)
            order = order_keys_by_bytes if form.sixteen else order_keys
            order(tir, b, sizes)
            with tir.loop("pair", T.truncdiv(count + 1, ROWS)) as pair:
                row = first + pair * ROWS
                _score(tir, form, b, sizes, (pair, row, T.min(row + 1, rows - 1)))
                _weigh(form, b, sizes, pair)
                _scale(tir, form, b, pair, total)
            place_keys(tir, form, b, sizes)
            _mix(tir, form, b, sizes, (first, count))
    return tir.prim_func


def _score(tir: Tir, form: Form, b: Buffers, sizes: Sizes, place: tuple[Expr, Expr, Expr]) -> None:
    """Store the products of a pair of rows with each key."""
    pair, *rows = place
    packed = address(b.weights[pair * (sizes.groups * GROUP * ROWS)])
    pack_rows(form.width)(*(address(b.q[row, 0]) for row in rows), packed)
    with tir.when(sizes.quarter > 0):
        form.score(packed, address(b.k[0, 0]), address(b.scores[0]), sizes.quarter)
    with tir.loop("j", sizes.keys, start=sizes.ordered) as j:
        at = sizes.ordered * ROWS + (j - sizes.ordered)
        score_key(form.width)(packed, address(b.k[j, 0]), address(b.scores[at]))


def _weigh(form: Form, b: Buffers, sizes: Sizes, pair: Expr) -> None:
    """Store the weights of a pair of rows, and their totals where the multipliers will be."""
    made = weigh_sixteen() if form.sixteen else weigh(form.shift)
    made(
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


def _scale(tir: Tir, form: Form, b: Buffers, pair: Expr, inverse: Buffer) -> None:
    """Store the multipliers and rounding offsets of a pair of rows."""
    for row in range(ROWS):
        total = T.max(b.scales[pair, row], 1)
        tir.store(inverse, 0, T.truncdiv(b.numerator, total))
        offset = arithmetic("int32", "rounding_offset", inverse[0], form.context_shift)
        tir.store(b.scales, (pair, row), inverse[0])
        tir.store(b.scales, (pair, ROWS + row), offset)


def _mix(tir: Tir, form: Form, b: Buffers, sizes: Sizes, block: tuple[Expr, Expr]) -> None:
    """Store the contexts of a block of rows, eight channels at a time."""
    first, count = block
    pairs = T.truncdiv(count + 1, ROWS)
    begin()(address(b.scales[0, 0]), address(b.mask[0]), pairs)
    with tir.loop("c", form.width // CHANNELS) as c:
        channel = c * CHANNELS
        _transpose(tir, form, b, sizes, channel)
        form.mix(
            address(b.weights[0]), address(b.scores[0]), address(b.mask[0]), sizes.groups, pairs
        )
        whole = T.truncdiv(count, ROWS)
        sums, scales = address(b.mask[0]), address(b.scales[0, 0])
        with tir.when(whole > 0):
            place = address(b.result[first, channel])
            form.finish(sums, scales, place, form.width, whole)
        with tir.when(whole < pairs):
            sums, scales = address(b.mask[whole * PAIR_SUMS]), address(b.scales[whole, 0])
            place = address(b.result[first + count - 1, channel])
            form.finish(sums, scales, place, 0, 1)


def _transpose(tir: Tir, form: Form, b: Buffers, sizes: Sizes, channel: Expr) -> None:
    """Bring eight channels of all keys together, a chunk of positions at a time."""
    if form.sixteen:
        halves = (address(b.scores[0]), address(b.scores[sizes.groups * GROUP]))
        with tir.when(sizes.chunks > 0):
            length = sizes.keys * form.width - channel
            source = address(b.v[0, channel])
            made = transpose_eight(form.width)
            made(source, *halves, sizes.quarter, sizes.chunks, length)
        with tir.when(sizes.groups * 2 > sizes.chunks):
            for half in range(ROWS):
                _transpose_half(tir, form, b, sizes, (channel, half))
    else:
        for half in range(ROWS):
            _transpose_half(tir, form, b, sizes, (channel, half))


def _transpose_half(
    tir: Tir, form: Form, b: Buffers, sizes: Sizes, place: tuple[Expr, int]
) -> None:
    """Bring four channels together, those of chunks that were not brought with others."""
    channel, half = place
    source = address(b.v[0, channel + half * COLUMNS])
    size = sizes.groups * GROUP
    at, done = half * size, sizes.chunks
    length = sizes.keys * form.width - channel - half * COLUMNS
    brought = transpose(form.width)
    if not form.sixteen:
        with tir.when(done > 0):
            target = address(b.scores[at])
            brought(source, address(b.places[0]), target, done, length)
    with tir.loop("t", sizes.groups * 2 - done) as t:
        target = address(b.scores[at + (done + t) * LANES])
        brought(source, address(b.places[LANES + t * LANES]), target, 1, length)
