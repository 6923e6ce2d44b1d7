"""Attention: scores by tiles of keys, exponentials by a table, contexts by tiles of channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.attention import distance_limit
from tvm_embbert.strategy.kernels.arithmetic import (
    call as arithmetic,
)
from tvm_embbert.strategy.kernels.arithmetic import (
    multiply_high,
    requantize,
    shift_left,
    tile_of,
    widened,
)
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel, Tensor
from tvm_embbert.strategy.registry import register_implementation


@register_implementation
class PortableAttention(Implementation):
    """Needs a row of scores and a row of weights as scratch."""

    operator = "attention"
    isa = "portable"

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel; what calibration decides is passed to it, but for the shifts."""
        *tensors, table, multiplier, shift, numerator, context_shift = call.args
        keys = tensors[1].shape[0]
        form = Form(tensors[0].shape[-1], len(tensors) == 4, shift, context_shift)
        return Kernel(
            attention(form),
            (table,),
            scalars=(*_limits(multiplier, shift), multiplier, numerator),
            scratch=(Tensor("scores", (keys,), "int32"), Tensor("weights", (keys,), "int8")),
            dims={"rows": call.rows, "keys": keys},
        )


def _limits(multiplier: int, shift: int) -> tuple[int, ...]:
    """Return the largest distance worth a table entry, where a shift could wrap a larger one."""
    return (distance_limit(multiplier, shift),) if shift else ()


@dataclass(frozen=True)
class Form:
    """What a kernel is specialised for."""

    width: int
    masked: bool
    shift: int
    context_shift: int

    @property
    def tile(self) -> int:
        """Return the channels that are computed together."""
        return tile_of(self.width)


@dataclass(frozen=True)
class _Row:
    """Buffers of the row under way."""

    q: Buffer
    k: Buffer
    v: Buffer
    hidden: Buffer | None
    table: Buffer
    scores: Buffer
    weights: Buffer
    sums: Buffer
    keys: Expr


def attention(form: Form) -> Any:
    """Return the PrimFunc."""
    with prim_func("attention") as tir:
        rows, keys = tir.dim("rows"), tir.dim("keys")
        q = tir.tensor("q", (rows, form.width), "int8")
        k = tir.tensor("k", (keys, form.width), "int8")
        v = tir.tensor("v", (keys, form.width), "int8")
        hidden = tir.tensor("hidden", (keys,), "bool") if form.masked else None
        table = tir.tensor("table", (256,), "int8")
        limit = tir.scalar("limit") if form.shift else None
        multiplier, numerator = tir.scalar("multiplier"), tir.scalar("numerator")
        result = tir.tensor("result", (rows, form.width), "int8")
        scores = tir.tensor("scores", (keys,), "int32")
        weights = tir.tensor("weights", (keys,), "int8")
        top, total = tir.local("top", "int32"), tir.local("total", "int32")
        offset, inverse = tir.local("offset", "int32"), tir.local("inverse", "int32")
        sums = tir.local("sums", "int32", form.tile)
        row = _Row(q, k, v, hidden, table, scores, weights, sums, keys)
        with tir.loop("i", rows) as i:
            _score(tir, form, row, i, top)
            tir.store(offset, 0, _rounding_offset(multiplier, form.shift))
            _weigh(tir, form, row, total, (top[0], offset[0], limit, multiplier))
            tir.store(inverse, 0, T.truncdiv(numerator, T.max(total[0], 1)))
            tir.store(offset, 0, _rounding_offset(inverse[0], form.context_shift))
            _mix(tir, form, row, i, (result, inverse[0], offset[0]))
    return tir.prim_func


def _rounding_offset(multiplier: Expr, shift: int) -> Expr:
    return arithmetic("int32", "rounding_offset", multiplier, shift)


def _score(tir: Tir, form: Form, row: _Row, i: Expr, top: Buffer) -> None:
    """Store the product of query i with each key, and the largest of those that are seen.

    A query is read once for a tile of keys; keys that fill no tile are taken one by one.
    """
    tir.store(top, 0, T.int32(-(2**31)))
    tiles = T.truncdiv(row.keys, form.tile)
    with tir.loop("t", tiles) as t:
        _score_keys(tir, form, row, (i, t * form.tile, form.tile), top)
    with tir.loop("j", row.keys, start=tiles * form.tile) as j:
        _score_keys(tir, form, row, (i, j, 1), top)


def _score_keys(
    tir: Tir, form: Form, row: _Row, place: tuple[Expr, Expr, int], top: Buffer
) -> None:
    """Score query i against `count` keys from the first on."""
    i, first, count = place
    with tir.unrolled(count) as u:
        tir.store(row.sums, u, 0)
    with tir.loop("c", form.width) as c, tir.unrolled(count) as u:
        tir.accumulate(row.sums, u, widened(row.q[i, c]) * widened(row.k[first + u, c]))
    with tir.unrolled(count) as u:
        tir.store(row.scores, first + u, row.sums[u])
        largest = T.max(top[0], row.sums[u])
        if row.hidden is None:
            tir.store(top, 0, largest)
        else:
            with tir.when(T.Not(row.hidden[first + u])):
                tir.store(top, 0, largest)


def _weigh(
    tir: Tir, form: Form, row: _Row, total: Buffer, constants: tuple[Expr, Expr, Expr | None, Expr]
) -> None:
    """Store the weight of each key, and add them up."""
    top, offset, limit, multiplier = constants
    tir.store(total, 0, 0)
    with tir.loop("j", row.keys) as j:
        distance = top - row.scores[j]
        if limit is not None:
            distance = T.min(distance, limit)
        steps = multiply_high(shift_left(distance + offset, form.shift), multiplier)
        weight = row.table[T.min(steps, 255)]
        if row.hidden is not None:
            weight = T.if_then_else(row.hidden[j], T.int8(0), weight)
        tir.store(row.weights, j, weight)
        tir.accumulate(total, 0, widened(row.weights[j]))


def _mix(tir: Tir, form: Form, row: _Row, i: Expr, output: tuple[Buffer, Expr, Expr]) -> None:
    """Store the weighted mean of the values, a tile of channels at a time."""
    result, inverse, offset = output
    with tir.loop("block", form.width // form.tile) as block:
        first = block * form.tile
        with tir.unrolled(form.tile) as u:
            tir.store(row.sums, u, offset)
        with tir.loop("j", row.keys) as j, tir.unrolled(form.tile) as u:
            product = widened(row.weights[j]) * widened(row.v[j, first + u])
            tir.accumulate(row.sums, u, product)
        with tir.unrolled(form.tile) as u:
            scaled = requantize(row.sums[u], inverse, form.context_shift, "int8")
            tir.store(result, (i, first + u), scaled)
