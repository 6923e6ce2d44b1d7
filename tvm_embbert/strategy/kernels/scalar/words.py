"""Rows as words of two: what a multiplication takes for both."""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import widened
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.scalar.form import Block, filled
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, prim_func


def words(block: Block) -> Intrinsic:
    """Return the intrinsic that packs ``x`` int8 (rows, width) to ``words`` int32 (width, pairs).

    Rows that a block lacks repeat the last one.
    """
    name = f"te_scalar_words_{block.rows}x{block.bits}"
    lines = "".join(f"      {_word(k, block)}\n" for k in range(4))
    fields = {"NAME": name, "PAIRS": block.pairs, "FOUR": lines, "ONE": _word(0, block)}
    return Intrinsic(name, filled(_C, fields), _meaning(block), ("rows", "width"))


def _word(k: int, block: Block) -> str:
    return f"to[{k * block.pairs}] = even[{k}] + odd[{k}] * (1 << {block.bits});"


def row_of(word: Expr, row: int, bits: int) -> Expr:
    """Return what a word holds of its row 0 or 1, int32; for meanings."""
    # Made positive first, since TIR's division of negative numbers is another one than C's shift.
    upper = T.truncdiv(word + (128 + (128 << bits)), 1 << bits) - 128
    return upper if row else word - upper * (1 << bits)


def _meaning(block: Block) -> Any:
    with prim_func("words") as tir:
        rows, width = tir.dim("rows"), tir.dim("width")
        x = tir.tensor("x", (rows, width), "int8")
        to = tir.tensor("words", (width, block.pairs), "int32")
        with tir.loop("k", width) as k:
            for p in range(block.pairs):
                even, odd = element_of(x, 2 * p, k), element_of(x, 2 * p + 1, k)
                tir.store(to, (k, p), even + odd * (1 << block.bits))
    return tir.prim_func


def element_of(x: Buffer, row: int, k: Expr) -> Expr:
    """Return an element, int32, of a row or, where it is lacking, of the last; for meanings."""
    return widened(x[T.min(row, x.shape[0] - 1), k])


_C = """
static void @NAME@(const int8_t *x, int32_t *words, int32_t rows, int32_t width) {
  for (int32_t p = 0; p < @PAIRS@; ++p) {
    const int8_t *even = x + te_min(2 * p, rows - 1) * width;
    const int8_t *odd = x + te_min(2 * p + 1, rows - 1) * width;
    int32_t *to = words + p, left = width;
    for (; left >= 4; left -= 4) {
@FOUR@      even += 4, odd += 4, to += 4 * @PAIRS@;
    }
    for (; left > 0; --left) {
      @ONE@
      ++even, ++odd, to += @PAIRS@;
    }
  }
}
"""
