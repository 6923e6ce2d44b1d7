"""The order of keys in a kernel for attention: where masks and values of them lie."""

from __future__ import annotations

from dataclasses import dataclass

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.armv8_1_m_mve.assembly import LANES
from tvm_embbert.strategy.kernels.armv8_1_m_mve.attention_form import PLACES, Form
from tvm_embbert.strategy.kernels.armv8_1_m_mve.dot import COLUMNS, ROWS
from tvm_embbert.strategy.kernels.armv8_1_m_mve.sixteen import byte_of, order_bytes
from tvm_embbert.strategy.kernels.armv8_1_m_mve.weights import GROUP, order_mask
from tvm_embbert.strategy.kernels.intrinsic import address
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir


@dataclass(frozen=True)
class Buffers:
    """What the kernel is given, and its memory."""

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
class Sizes:
    """Keys in all, in a quarter, in the quarters together, and in whole groups."""

    keys: Expr
    quarter: Expr
    ordered: Expr
    groups: Expr

    @staticmethod
    def of(keys: Expr) -> Sizes:
        """Return the sizes for a number of keys."""
        quarter = T.truncdiv(keys, COLUMNS)
        return Sizes(keys, quarter, quarter * COLUMNS, T.truncdiv(keys + GROUP - 1, GROUP))

    @property
    def chunks(self) -> Expr:
        """Return the chunks of 16 positions that the quarters fill."""
        return T.truncdiv(self.quarter, 4)


def declare(tir: Tir, form: Form, rows: Expr, keys: Expr) -> Buffers:
    """Declare all of it, in the order that kernels keep."""
    q = tir.tensor("q", (rows, form.width), "int8")
    k = tir.tensor("k", (keys, form.width), "int8")
    v = tir.tensor("v", (keys, form.width), "int8")
    hidden = tir.tensor("hidden", (keys,), "bool") if form.masked else None
    table = tir.tensor("table", (256,), "int8")
    limit = [tir.scalar("limit")] if form.shift else []
    multiplier, numerator = tir.scalar("multiplier"), tir.scalar("numerator")
    result = tir.tensor("result", (rows, form.width), "int8")
    groups = T.truncdiv(keys + GROUP - 1, GROUP)
    return Buffers(
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
        tir.tensor("weights", (groups * GROUP * form.block,), "int8"),
        tir.tensor("mask", (groups * GROUP,), "int8"),
        tir.tensor("places", (PLACES,), "int16"),
        tir.tensor("scales", (form.block // ROWS, 2 * ROWS), "int32"),
    )


def order_keys(tir: Tir, b: Buffers, sizes: Sizes) -> None:
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


def order_keys_by_bytes(tir: Tir, b: Buffers, sizes: Sizes) -> None:
    """Bring the mask to the order of bytes; what pads the keys is hidden."""
    first = sizes.chunks * LANES
    if b.hidden is None:
        with tir.loop("p", first) as p:
            tir.store(b.mask, p, T.int8(0))
    else:
        with tir.when(sizes.chunks > 0):
            hidden, mask = address(b.hidden[0]), address(b.mask[0])
            order_bytes()(hidden, mask, sizes.quarter, sizes.chunks)
    with tir.loop("p", sizes.groups * GROUP - first) as p:
        seen = T.int8(0)
        if b.hidden is not None:
            seen = T.Cast("int8", b.hidden[_key(sizes, first + p)])
        seen = T.if_then_else(first + p < sizes.keys, seen, T.int8(1))
        tir.store(b.mask, first + byte_of(p), seen)


def place_keys(tir: Tir, form: Form, b: Buffers, sizes: Sizes) -> None:
    """Store which keys those of 16 positions are, which repeat, and those of the last ones.

    Where eight channels are brought together, those that repeat are not looked up.
    """
    if not form.sixteen:
        with tir.loop("m", 4) as m, tir.loop("i", COLUMNS) as i:
            tir.store(b.places, m * COLUMNS + i, T.Cast("int16", m + i * sizes.quarter))
    first = sizes.chunks * LANES
    with tir.loop("p", sizes.groups * GROUP - first) as p:
        place = LANES + (byte_of(p) if form.sixteen else p)
        tir.store(b.places, place, T.Cast("int16", _key(sizes, first + p)))


def _key(sizes: Sizes, position: Expr) -> Expr:
    """Return the key at a position of the scores, the last one where it pads the keys."""
    quartered = T.truncdiv(position, COLUMNS) + position % COLUMNS * sizes.quarter
    after = T.min(position, sizes.keys - 1)
    return T.if_then_else(position < sizes.ordered, quartered, after)
