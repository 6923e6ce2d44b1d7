"""Attention weights from scores: a table's entries, as pairs of keys for SMLAD."""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import call as arithmetic
from tvm_embbert.strategy.kernels.arithmetic import multiply_high, widened
from tvm_embbert.strategy.kernels.armv7e_m_dsp import GUARD
from tvm_embbert.strategy.kernels.armv7e_m_dsp.scores import split_score, unsigned
from tvm_embbert.strategy.kernels.armv7e_m_dsp.widen import ROWS
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.tir import Expr, prim_func


def weights(shifted: bool, unroll: int = 1) -> Intrinsic:
    """Return the intrinsic: ``weights`` (pairs of keys, 4, 2) int16 and each row's sum.

    The weights may take the memory of ``low``; those of an odd key take that of its scores. The
    table's last entry must be 0. Where scores are shifted, their distance is limited first. A turn
    of the loop takes `unroll` pairs of keys.
    """
    name = f"te_dsp_weights{'' if unroll == 1 else f'_{unroll}'}{'_shifted' if shifted else ''}"
    source = weights_c(_C, name, shifted).replace("@UNROLL@\n", unrolled(unroll))
    return Intrinsic(name, source, _meaning(shifted), ("keys",), guard=GUARD)


def unrolled(times: int) -> str:
    """Return the line in front of a C loop of which so many turns are to be made one."""
    return "" if times == 1 else f"#pragma GCC unroll {times}\n"


def weights_c(source: str, name: str, shifted: bool) -> str:
    """Return C that computes indices of the table, behind a function for one of them."""
    source = (_C_INDEX + source).replace("@NAME@", name)
    source = source.replace("@INDEX@", _SHIFTED if shifted else _INDEX)
    return source.replace("@UNUSED@", "" if shifted else "\n  (void)limit, (void)shift;")


def _meaning(shifted: bool) -> Any:
    with prim_func("weights") as tir:
        keys = tir.dim("keys")
        pairs = T.truncdiv(keys, 2)
        low = tir.tensor("low", (pairs, ROWS, 2), "int16")
        high = tir.tensor("high", (pairs, 2, 2, 2), "int8")
        last = tir.tensor("last", (ROWS,), "int32")
        tops = tir.tensor("tops", (ROWS,), "int32")
        table = tir.tensor("table", (256,), "int8")
        limit, multiplier, shift = (tir.scalar(n) for n in ("limit", "multiplier", "shift"))
        found = tir.tensor("weights", (pairs, ROWS, 2), "int16")
        totals = tir.tensor("totals", (ROWS,), "int32")
        scaling = (limit, multiplier, shift)
        for r in range(ROWS):
            tir.store(totals, r, 0)
            with tir.loop("j", pairs * 2) as j:
                lower, upper = split_score(j, r)
                score = widened(high[upper]) * 65536 + unsigned(low[lower])
                weight = table[index_of(tops[r] - score, shifted, scaling)]
                tir.store(found, lower, T.Cast("int16", weight))
                tir.accumulate(totals, r, widened(found[lower]))
            with tir.when(T.truncmod(keys, 2) > 0):
                index = index_of(tops[r] - last[r], shifted, scaling)
                tir.store(last, r, widened(table[index]))
                tir.accumulate(totals, r, last[r])
    return tir.prim_func


def index_of(distance: Expr, shifted: bool, scaling: tuple[Expr, Expr, Expr]) -> Expr:
    """Return the table's entry for a distance from the largest score."""
    limit, multiplier, shift = scaling
    steps = T.min(distance, limit) + arithmetic("int32", "rounding_offset", multiplier, shift)
    scaled = arithmetic("int32", "shift_left", steps, shift) if shifted else steps
    return T.max(T.min(multiply_high(scaled, multiplier), 255), 0)


_INDEX = "top - score"
_SHIFTED = "te_shift_left(te_min(top - score, limit), shift)"

_C_INDEX = """
static inline uint32_t @NAME@_index(int32_t score, int32_t top, int32_t limit,
    int32_t multiplier, int32_t shift) {@UNUSED@
  const int32_t distance = @INDEX@;
  uint32_t index;
  __asm__("smmul %0, %1, %2\\n\\tusat %0, #8, %0"
          : "=&r"(index)
          : "r"(distance), "r"(multiplier));
  return index;
}
"""

_C = """
/* The weights of a row for two keys, whose scores are in the halves of two words. */
static inline uint32_t @NAME@_pair(uint32_t low, uint32_t high, const uint8_t *table,
    int32_t top, int32_t limit, int32_t multiplier, int32_t shift, int32_t *total) {
  int32_t score0, score1;
  __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(score0) : "r"(low), "r"(high));
  __asm__("pkhtb %0, %2, %1, asr #16" : "=r"(score1) : "r"(low), "r"(high));
  const uint32_t weight0 = table[@NAME@_index(score0, top, limit, multiplier, shift)];
  const uint32_t weight1 = table[@NAME@_index(score1, top, limit, multiplier, shift)];
  const uint32_t pair = weight0 | weight1 << 16;
  __asm__("smlad %0, %1, %2, %0" : "+r"(*total) : "r"(pair), "r"(0x00010001));
  return pair;
}

/* Two rows at a time. A pair of weights takes the place of scores that have been read. */
static void @NAME@(const int16_t *low, const int8_t *high, int32_t *last,
    const int32_t *tops, const int8_t *table, int32_t limit, int32_t multiplier, int32_t shift,
    int16_t *weights, int32_t *totals, int32_t keys) {
  const uint8_t *const entries = (const uint8_t *)table;
  const int32_t offset = te_rounding_offset(multiplier, shift);
  const int32_t reach = limit + offset;
  for (int32_t r = 0; r < 4; r += 2) {
    const uint32_t *lows = (const uint32_t *)low + r;
    const uint32_t *highs = (const uint32_t *)high + (r >> 1);
    uint32_t *to = (uint32_t *)weights + r;
    const int32_t top0 = tops[r] + offset, top1 = tops[r + 1] + offset;
    int32_t total0 = 0, total1 = 0;
@UNROLL@
    for (const uint32_t *const end = lows + 4 * (keys >> 1); lows != end; lows += 4) {
      uint32_t high0, high1;
      __asm__("sxtb16 %0, %1" : "=r"(high0) : "r"(*highs));
      __asm__("sxtb16 %0, %1, ror #8" : "=r"(high1) : "r"(*highs));
      const uint32_t low1 = lows[1];
      to[0] = @NAME@_pair(lows[0], high0, entries, top0, reach, multiplier, shift, &total0);
      to[1] = @NAME@_pair(low1, high1, entries, top1, reach, multiplier, shift, &total1);
      highs += 2;
      to += 4;
    }
    if (keys & 1) {
      last[r] = entries[@NAME@_index(last[r], top0, reach, multiplier, shift)];
      last[r + 1] = entries[@NAME@_index(last[r + 1], top1, reach, multiplier, shift)];
      total0 += last[r];
      total1 += last[r + 1];
    }
    totals[r] = total0;
    totals[r + 1] = total1;
  }
}
"""
