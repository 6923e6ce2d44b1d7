"""Attention weights from whole scores, row by row: pairs of keys for SMLAD, where the scores lie.

The weights of pair p take the place of the scores of key p, of the same row: those are read by
then.
"""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import widened
from tvm_embbert.strategy.kernels.armv7e_m_dsp import GUARD
from tvm_embbert.strategy.kernels.armv7e_m_dsp.scores import HIDDEN
from tvm_embbert.strategy.kernels.armv7e_m_dsp.scores_block import whole_score
from tvm_embbert.strategy.kernels.armv7e_m_dsp.weights import index_of, unrolled, weights_c
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.tir import prim_func


def block_weights(rows: int, shifted: bool, unroll: int) -> Intrinsic:
    """Return the intrinsic: ``weights`` (pairs of keys, rows, 2) int16 and each row's sum.

    The scores are those of :func:`.block_scores`. Where all keys are hidden, 0 is the largest. The
    weights of an odd key go to ``last`` (rows). A turn of the loops takes `unroll` pairs.
    """
    name = f"te_dsp_weights_{rows}_{unroll}{'_shifted' if shifted else ''}"
    source = weights_c(_C, name, shifted)
    source = source.replace("@ROWS@", str(rows)).replace("@UNROLL@\n", unrolled(unroll))
    return Intrinsic(name, source, _meaning(rows, shifted), ("keys",), guard=GUARD)


def _meaning(rows: int, shifted: bool) -> Any:
    with prim_func("weights") as tir:
        keys = tir.dim("keys")
        pairs = T.truncdiv(keys, 2)
        scores = tir.tensor("scores", (keys, rows, 2), "int16")
        table = tir.tensor("table", (256,), "int8")
        limit, multiplier, shift = (tir.scalar(n) for n in ("limit", "multiplier", "shift"))
        found = tir.tensor("weights", (pairs, rows, 2), "int16")
        last = tir.tensor("last", (rows,), "int32")
        totals = tir.tensor("totals", (rows,), "int32")
        scaling = (limit, multiplier, shift)
        top, weight = tir.local("top", "int32"), tir.local("weight", "int32")
        for r in range(rows):
            tir.store(top, 0, T.int32(HIDDEN))
            with tir.loop("j", keys) as j:
                tir.store(top, 0, T.max(top[0], whole_score(scores, j, r)))
            tir.store(top, 0, T.if_then_else(T.EQ(top[0], T.int32(HIDDEN)), 0, top[0]))
            tir.store(totals, r, 0)
            with tir.loop("j", keys) as j:
                index = index_of(top[0] - whole_score(scores, j, r), shifted, scaling)
                tir.store(weight, 0, widened(table[index]))
                tir.accumulate(totals, r, weight[0])
                with tir.when(j < pairs * 2):
                    place = (T.truncdiv(j, 2), r, T.truncmod(j, 2))
                    tir.store(found, place, T.Cast("int16", weight[0]))
                with tir.when(j >= pairs * 2):
                    tir.store(last, r, weight[0])
    return tir.prim_func


_C = """
static inline int32_t @NAME@_largest(const int32_t *scores, int32_t keys) {
  int32_t top = -(1 << 23);
@UNROLL@
  for (const int32_t *const end = scores + @ROWS@ * keys; scores != end; scores += @ROWS@) {
    const int32_t score = *scores;
    __asm__("cmp %1, %0\\n\\tit gt\\n\\tmovgt %0, %1" : "+r"(top) : "r"(score) : "cc");
  }
  return top == -(1 << 23) ? 0 : top;
}

/* A row at a time. A pair of weights takes the place of scores that have been read. */
static void @NAME@(const int16_t *scores, const int8_t *table, int32_t limit, int32_t multiplier,
    int32_t shift, int16_t *weights, int32_t *last, int32_t *totals, int32_t keys) {
  const uint8_t *const entries = (const uint8_t *)table;
  const int32_t offset = te_rounding_offset(multiplier, shift);
  const int32_t reach = limit + offset;
  for (int32_t r = 0; r < @ROWS@; ++r) {
    const int32_t *from = (const int32_t *)scores + r;
    uint32_t *to = (uint32_t *)weights + r;
    const int32_t top = @NAME@_largest(from, keys) + offset;
    int32_t total = 0;
@UNROLL@
    for (const int32_t *const end = from + 2 * @ROWS@ * (keys >> 1); from != end;) {
      const uint32_t first = entries[@NAME@_index(from[0], top, reach, multiplier, shift)];
      const uint32_t second = entries[@NAME@_index(from[@ROWS@], top, reach, multiplier, shift)];
      const uint32_t pair = first | second << 16;
      __asm__("smlad %0, %1, %2, %0" : "+r"(total) : "r"(pair), "r"(0x00010001));
      *to = pair;
      from += 2 * @ROWS@;
      to += @ROWS@;
    }
    if (keys & 1) {
      last[r] = entries[@NAME@_index(*from, top, reach, multiplier, shift)];
      total += last[r];
    }
    totals[r] = total;
  }
}
"""
