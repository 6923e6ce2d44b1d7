"""Attention weights from whole scores, row by row: pairs of keys for SMLAD, where the scores lie.

The weights of pair p take the place of the scores of key p, of the same row: those are read by
then.
"""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import widened
from tvm_embbert.strategy.kernels.armv7e_m_dsp import GUARD
from tvm_embbert.strategy.kernels.armv7e_m_dsp.registers import (
    Registers,
    clobbers,
    load,
    numbered,
    text,
)
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
    for field, value in _largest(rows, unroll).items():
        source = source.replace(f"@{field}@", value)
    source = (
        source.replace("@KEYS@", str(2 * unroll))
        .replace("@ROWS@", str(rows))
        .replace("@UNROLL@\n", unrolled(unroll))
    )
    return Intrinsic(name, source, _meaning(rows, shifted), ("keys",), guard=GUARD, gcc=True)


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


def _largest(rows: int, unroll: int) -> dict[str, str]:
    """Return what the C of the largest scores needs: LDM loads those of a key."""
    registers = Registers()
    (at,) = registers.take("at")
    tops = registers.take(*numbered("m", rows))
    scores = registers.take(*numbered("a", min(rows, registers.free)))
    begin = [f"ldr {at}, %[from]", f"mov {tops[0]}, #0"]
    begin += [f"movt {tops[0]}, #{HIDDEN >> 16 & 0xFFFF}"]
    begin += [f"mov {top}, {tops[0]}" for top in tops[1:]]
    key: list[str] = []
    for first in range(0, rows, len(scores)):
        own = tops[first : first + len(scores)]
        key.append(load(at, scores[: len(own)]))
        for top, score in zip(own, scores, strict=False):
            key += [f"cmp {score}, {top}", "it gt", f"movgt {top}, {score}"]

    def loop(head: int, limit: str, times: int) -> list[str]:
        check = [f"ldr {scores[0]}, %[{limit}]", f"cmp {at}, {scores[0]}", f"bne {head}b"]
        return [f"b {head + 1}f", f"{head}:", *key * times, f"{head + 1}:", *check]

    end = [f"ldr {at}, %[to]", f"stm {at}, {{{', '.join(tops)}}}"]
    lines = [*begin, *loop(1, "many", 2 * unroll), *loop(3, "end", 1), *end]
    return {"LARGEST": text(lines), "CLOBBERS": clobbers(registers.variables, ())}


_C = """
/* The largest score of each row; 0 where all keys are hidden. */
static void @NAME@_largest(const int32_t *scores, int32_t *tops, int32_t keys) {
  const int32_t *const from = scores, *const end = scores + @ROWS@ * keys;
  const int32_t *const many = scores + @ROWS@ * (keys / @KEYS@ * @KEYS@);
  int32_t *const to = tops;
  __asm__ volatile(
@LARGEST@
      :
      : [from] "m"(from), [many] "m"(many), [end] "m"(end), [to] "m"(to)
      : @CLOBBERS@);
  for (int32_t r = 0; r < @ROWS@; ++r) {
    tops[r] = tops[r] == -(1 << 23) ? 0 : tops[r];
  }
}

/* A row at a time. A pair of weights takes the place of scores that have been read. */
static void @NAME@(const int16_t *scores, const int8_t *table, int32_t limit, int32_t multiplier,
    int32_t shift, int16_t *weights, int32_t *last, int32_t *totals, int32_t keys) {
  const uint8_t *const entries = (const uint8_t *)table;
  const int32_t offset = te_rounding_offset(multiplier, shift);
  const int32_t reach = limit + offset;
  int32_t tops[@ROWS@];
  @NAME@_largest((const int32_t *)scores, tops, keys);
  for (int32_t r = 0; r < @ROWS@; ++r) {
    const int32_t *from = (const int32_t *)scores + r;
    uint32_t *to = (uint32_t *)weights + r;
    const int32_t top = tops[r] + offset;
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
