"""Rows as words, two in one or three in two: what a multiplication takes for all of them."""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import widened
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.scalar.form import Block, filled
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, prim_func


def words(block: Block) -> Intrinsic:
    """Return the intrinsic that packs ``x`` int8 (rows, width) to ``words`` int32 (width, words).

    Rows that a block lacks repeat the last one.
    """
    name = f"te_scalar_words_{block.rows}x{block.bits}"
    rows = [f"row{r}" for r in range(block.group)]
    fields = {
        "NAME": name,
        "PAIRS": block.words,
        "GROUP": len(rows),
        "STEP": block.words * block.group // block.rows,
        "ROWS": "".join(map(_row, range(block.group))),
        "FOUR": "".join(f"      {_words(k, block)}\n" for k in range(4)),
        "FURTHER": ", ".join(f"{row} += 4" for row in rows),
        "ONE": _words(0, block),
        "NEXT": ", ".join(f"++{row}" for row in rows),
    }
    return Intrinsic(name, filled(_C, fields), _meaning(block), ("rows", "width"))


def _row(r: int) -> str:
    return f"    const int8_t *row{r} = x + te_min(first + {r}, rows - 1) * width;\n"


def _words(k: int, block: Block) -> str:
    """Return statements that store step k's words of the block's first group of rows."""
    return " ".join(
        f"to[{k * block.words + n}] = row{w.low}[{k}] + row{w.high}[{k}] * (1 << {w.bits});"
        for n, w in enumerate(block.layout)
        if w.low < block.group
    )


def row_of(words: Buffer, step: Expr, row: int, block: Block) -> Expr:
    """Return what the words (steps, words) of a block hold of a row, int32; for meanings."""
    place, word = next((n, w) for n, w in enumerate(block.layout) if row in (w.low, w.high))
    return half_of(words[step, place], row == word.high, word.bits)


def half_of(word: Expr, high: bool, bits: int) -> Expr:
    """Return the lower or the higher row of a word."""
    # Made positive first, since TIR's division of negative numbers is another one than C's shift.
    most = 1 << bits - 1
    upper = T.truncdiv(word + (most + (128 << bits)), 1 << bits) - 128
    return upper if high else word - upper * (1 << bits)


def _meaning(block: Block) -> Any:
    with prim_func("words") as tir:
        rows, width = tir.dim("rows"), tir.dim("width")
        x = tir.tensor("x", (rows, width), "int8")
        to = tir.tensor("words", (width, block.words), "int32")
        with tir.loop("k", width) as k:
            for n, word in enumerate(block.layout):
                low, high = element_of(x, word.low, k), element_of(x, word.high, k)
                tir.store(to, (k, n), low + high * (1 << word.bits))
    return tir.prim_func


def element_of(x: Buffer, row: int, k: Expr) -> Expr:
    """Return an element, int32, of a row or, where it is lacking, of the last; for meanings."""
    return widened(x[T.min(row, x.shape[0] - 1), k])


_C = """
static void @NAME@(const int8_t *x, int32_t *words, int32_t rows, int32_t width) {
  int32_t first = 0;
  for (int32_t p = 0; p < @PAIRS@; p += @STEP@) {
@ROWS@    int32_t *to = words + p, left = width;
    for (; left >= 4; left -= 4) {
@FOUR@      @FURTHER@, to += 4 * @PAIRS@;
    }
    for (; left > 0; --left) {
      @ONE@
      @NEXT@, to += @PAIRS@;
    }
    first += @GROUP@;
  }
}
"""
