"""Rows as pairs of 16 bits, four rows interleaved: what SMLAD reads against a matrix.

The pairs of four rows lie side by side, so that LDRD loads those of two rows. Rows that a block of
four lacks repeat the last one.
"""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.armv7e_m_dsp import GUARD
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.tir import Expr, prim_func

ROWS = 4
"""Rows of a block."""
GROUP = 4
"""Elements that are widened together."""


def widened_order(dtype: str) -> tuple[int, ...]:
    """Return which element of a group is at which place of its two pairs.

    SXTB16 takes every other byte of a word.
    """
    return (0, 2, 1, 3) if dtype == "int8" else (0, 1, 2, 3)


def groups_of(width: Any) -> Any:
    """Return the groups that `width` elements take, the last filled up with zeros."""
    return (width + GROUP - 1) // GROUP


def widen(dtype: str, block: int = ROWS) -> Intrinsic:
    """Return the intrinsic that widens ``x`` (rows, width) to ``wide`` (groups, 2, 4, 2) int16.

    With another `block` than 4, that many rows are interleaved.
    """
    source, name = (_C_S8, "s8") if dtype == "int8" else (_C_S16, "s16")
    if block != ROWS:
        name, source = f"{name}_{block}", _for_rows(source, block, name)
    source = source.replace("@FOURS@", "")
    dims = ("rows", "width")
    return Intrinsic(f"te_dsp_widen_{name}", source, _meaning(dtype, block), dims, guard=GUARD)


def _for_rows(source: str, block: int, name: str) -> str:
    """Return the C for rows that lie interleaved by `block`."""
    odd, both = 4 * block, 8 * block
    replaced = {
        f"widen_{name}(": f"widen_{name}_{block}(",
        "four rows": f"{block} rows",
        "r < 4;": f"r < {block};",
        "to], #16]": f"to], #{odd}]",
        "to]], #32": f"to]], #{both}",
        "to[8]": f"to[{2 * block}]",
        "to[9]": f"to[{2 * block + 1}]",
        "to += 8;": f"to += {2 * block};",
    }
    for old, new in replaced.items():
        source = source.replace(old, new)
    words = "\n".join([_WORD.rstrip()] * 4).replace("@ODD@", str(odd)).replace("@BOTH@", str(both))
    return source.replace("@FOURS@", _FOURS.replace("@WORDS@", words))


def _meaning(dtype: str, block: int) -> Any:
    with prim_func("widen") as tir:
        rows, width = tir.dim("rows"), tir.dim("width")
        x = tir.tensor("x", (rows, width), dtype)
        wide = tir.tensor("wide", (T.truncdiv(width + 3, GROUP), 2, block, 2), "int16")
        with tir.loop("g", T.truncdiv(width + 3, GROUP)) as g, tir.loop("r", block) as r:
            for place, element in enumerate(widened_order(dtype)):
                tir.store(wide, (g, place // 2, r, place % 2), _element(x, r, g * GROUP + element))
    return tir.prim_func


def _element(x: Any, r: Expr, k: Expr) -> Expr:
    rows, width = x.shape
    value = T.Cast("int16", x[T.min(r, rows - 1), k])
    return T.if_then_else(k < width, value, T.int16(0))


_C_S8 = """
/* Words of [x0 x1 x2 x3] to pairs (x0, x2) and (x1, x3), those of four rows side by side. */
static void te_dsp_widen_s8(const int8_t *x, int16_t *wide, int32_t rows, int32_t width) {
  for (int32_t r = 0; r < 4; ++r) {
    const int8_t *from = x + te_min(r, rows - 1) * width;
    int16_t *to = wide + 2 * r;
    int32_t left = width;@FOURS@
    for (; left >= 4; left -= 4) {
      int32_t even, odd;
      __asm__ volatile(
          "ldr %[odd], [%[from]], #4\\n\\t"
          "sxtb16 %[even], %[odd]\\n\\t"
          "sxtb16 %[odd], %[odd], ror #8\\n\\t"
          "str %[odd], [%[to], #16]\\n\\t"
          "str %[even], [%[to]], #32\\n\\t"
          : [from] "+r"(from), [to] "+r"(to), [even] "=&r"(even), [odd] "=&r"(odd)
          :
          : "memory");
    }
    if (left > 0) {
      to[0] = from[0];
      to[1] = left > 2 ? from[2] : 0;
      to[8] = left > 1 ? from[1] : 0;
      to[9] = 0;
    }
  }
}
"""

_FOURS = """
    for (; left >= 16; left -= 16) {
      int32_t even, odd;
      __asm__ volatile(
@WORDS@
          : [from] "+r"(from), [to] "+r"(to), [even] "=&r"(even), [odd] "=&r"(odd)
          :
          : "memory");
    }"""

_WORD = """\
          "ldr %[odd], [%[from]], #4\\n\\t"
          "sxtb16 %[even], %[odd]\\n\\t"
          "sxtb16 %[odd], %[odd], ror #8\\n\\t"
          "str %[odd], [%[to], #@ODD@]\\n\\t"
          "str %[even], [%[to]], #@BOTH@\\n\\t" """

_C_S16 = """
/* Pairs of four rows side by side. */
static void te_dsp_widen_s16(const int16_t *x, int16_t *wide, int32_t rows, int32_t width) {
  for (int32_t r = 0; r < 4; ++r) {
    const int16_t *from = x + te_min(r, rows - 1) * width;
    int16_t *to = wide + 2 * r;
    for (int32_t k = 0; k < ((width + 3) & ~3); k += 2) {
      to[0] = (int16_t)(k < width ? from[k] : 0);
      to[1] = (int16_t)(k + 1 < width ? from[k + 1] : 0);
      to += 8;
    }
  }
}
"""
