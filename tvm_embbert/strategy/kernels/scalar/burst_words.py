"""Words of a block of rows as bursts take them: side by side, or with room for bytes between."""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.scalar.burst import beside
from tvm_embbert.strategy.kernels.scalar.form import Block, filled
from tvm_embbert.strategy.kernels.scalar.words import element_of
from tvm_embbert.strategy.kernels.tir import Expr, prim_func


def words_shape(block: Block, steps: int) -> tuple[int, ...]:
    """Return the words of so many steps: with room for their bytes behind those of each turn."""
    room = steps // 4 if beside(block) else 0
    return (steps * block.words + room,)


def place_of(block: Block, step: Expr, pair: int) -> Expr:
    """Return where the word of a step and pair lies."""
    gaps = T.truncdiv(step, block.unroll) * (block.unroll // 4) if beside(block) else 0
    return step * block.words + gaps + pair


def words_beside(block: Block) -> Intrinsic:
    """Return the intrinsic that packs ``x`` int8 (rows, width), of whole turns, to ``words`` int32.

    Between those of two turns is room for a turn's bytes. Rows that a block lacks repeat the last
    one.
    """
    name = f"te_scalar_words_{block.rows}x{block.bits}_{block.unroll}"
    lines = "".join(
        f"      to[{k * block.words}] = even[{k}] + odd[{k}] * (1 << {block.bits});\n"
        for k in range(4)
    )
    fields = {"NAME": name, "PAIRS": block.words, "FOUR": lines, "UNROLL": block.unroll}
    return Intrinsic(name, filled(_C, fields), _meaning(block), ("rows", "width"))


def _meaning(block: Block) -> Any:
    with prim_func("words") as tir:
        rows, width = tir.dim("rows"), tir.dim("width")
        x = tir.tensor("x", (rows, width), "int8")
        room = T.truncdiv(width, 4)
        to = tir.tensor("words", (width * block.words + room,), "int32")
        with tir.loop("k", width) as k:
            for p in range(block.words):
                even, odd = element_of(x, 2 * p, k), element_of(x, 2 * p + 1, k)
                tir.store(to, place_of(block, k, p), even + odd * (1 << block.bits))
    return tir.prim_func


_C = """
static void @NAME@(const int8_t *x, int32_t *words, int32_t rows, int32_t width) {
  for (int32_t p = 0; p < @PAIRS@; ++p) {
    const int8_t *even = x + te_min(2 * p, rows - 1) * width;
    const int8_t *odd = x + te_min(2 * p + 1, rows - 1) * width;
    int32_t *to = words + p;
    for (int32_t turn = 0; turn < width; turn += @UNROLL@, to += @UNROLL@ / 4) {
      for (int32_t k = 0; k < @UNROLL@; k += 4) {
  @FOUR@        even += 4, odd += 4, to += 4 * @PAIRS@;
      }
    }
  }
}
""".replace("  @FOUR@", "@FOUR@")
