"""Attention scores: four widened queries against the keys where they lie, two at a time.

A score takes 24 bits: 16 where the pair of weights will lie, 8 elsewhere. The last of an odd number
of keys, which has no pair, has its scores whole in a place of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import widened
from tvm_embbert.strategy.kernels.armv7e_m_dsp import GUARD
from tvm_embbert.strategy.kernels.armv7e_m_dsp.widen import GROUP, ROWS, widened_order
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.tir import Expr, Tir, prim_func

UNROLLED = 8
"""Words of a key that a turn of the inner loop takes, unless tuned: that many, or a half of it."""
HIDDEN = -(2**23)
"""The score of a key that is hidden: so far below all others that its weight is 0."""


@dataclass(frozen=True)
class ScoresForm:
    """What the intrinsic is specialised for."""

    width: int
    masked: bool
    groups: int = UNROLLED

    @property
    def name(self) -> str:
        """Return the name of the C function."""
        groups = "" if self.groups == UNROLLED else f"_{self.groups}"
        return f"te_dsp_scores_{self.width}{groups}{'_masked' if self.masked else ''}"


def scores(form: ScoresForm) -> Intrinsic:
    """Return the intrinsic: the scores of 4 rows, and the largest of each row in ``tops`` (4).

    Scores go to ``low`` int16 (pairs of keys, 4, 2) and ``high`` int8 (pairs of keys, 2, 2, 2), by
    pairs of rows, keys and rows; those of an odd key to ``last`` (4). Where all keys are hidden, 0
    is the largest.
    """
    return Intrinsic(form.name, _c(form), _meaning(form), ("keys",), guard=GUARD, gcc=True)


def turn_of(size: int, most: int) -> int:
    """Return the largest power of two up to `most` that divides `size`."""
    return max(1 << n for n in range(most.bit_length()) if size % (1 << n) == 0)


def split_score(j: Expr, r: int) -> tuple[Any, Any]:
    """Return the places of row r's score of key j: its lower 16 bits, its upper 8 bits."""
    pair, key = T.truncdiv(j, 2), T.truncmod(j, 2)
    return (pair, r, key), (pair, r // 2, key, r % 2)


def unsigned(value: Expr) -> Expr:
    """Return an int16 element as the number from 0 to 65535 that has its bits, int32."""
    return widened(value) + T.if_then_else(value < T.int16(0), 65536, 0)


def _meaning(form: ScoresForm) -> Any:
    with prim_func("scores") as tir:
        keys = tir.dim("keys")
        wide = tir.tensor("wide", (form.width // GROUP, 2, ROWS, 2), "int16")
        k = tir.tensor("k", (keys, form.width), "int8")
        hidden = tir.tensor("hidden", (keys,), "bool") if form.masked else None
        low = tir.tensor("low", (T.truncdiv(keys, 2), ROWS, 2), "int16")
        high = tir.tensor("high", (T.truncdiv(keys, 2), 2, 2, 2), "int8")
        last = tir.tensor("last", (ROWS,), "int32")
        tops = tir.tensor("tops", (ROWS,), "int32")
        total = tir.local("total", "int32")
        for r in range(ROWS):
            tir.store(tops, r, T.int32(HIDDEN))
            with tir.loop("j", keys) as j:
                _score(tir, (wide, k, total), j, r)
                tir.store(total, 0, _seen(hidden, j, total[0]))
                tir.store(tops, r, T.max(tops[r], total[0]))
                with tir.when(j < T.truncdiv(keys, 2) * 2):
                    lower, upper = split_score(j, r)
                    tir.store(low, lower, T.Cast("int16", total[0]))
                    tir.store(
                        high,
                        upper,
                        T.Cast("int8", T.truncdiv(total[0] - unsigned(low[lower]), 65536)),
                    )
                with tir.when(j >= T.truncdiv(keys, 2) * 2):
                    tir.store(last, r, total[0])
            tir.store(tops, r, T.if_then_else(T.EQ(tops[r], T.int32(HIDDEN)), 0, tops[r]))
    return tir.prim_func


def _score(tir: Tir, buffers: tuple[Any, Any, Any], j: Expr, r: int) -> None:
    wide, k, total = buffers
    tir.store(total, 0, 0)
    with tir.loop("g", wide.shape[0]) as g:
        for place, element in enumerate(widened_order("int8")):
            query = widened(wide[g, place // 2, r, place % 2])
            tir.accumulate(total, 0, query * widened(k[j, g * GROUP + element]))


def _seen(hidden: Any, j: Expr, score: Expr) -> Expr:
    return score if hidden is None else T.if_then_else(hidden[j], T.int32(HIDDEN), score)


def _c(form: ScoresForm) -> str:
    unrolled = turn_of(form.width // GROUP, form.groups)
    fields = {
        "NAME": form.name,
        "MACRO": form.name.upper(),
        "WIDTH": str(form.width),
        "GROUPS": " ".join([f"{form.name.upper()}_GROUP"] * unrolled),
        "MASK": "const uint8_t *hidden, " if form.masked else "",
        "HIDDEN": "hidden[j]" if form.masked else "0",
    }
    text = _C.replace("@HIDE@", _HIDE if form.masked else "")
    text = text.replace("@SEEN@", _SEEN if form.masked else "    {\n")
    for name, value in fields.items():
        text = text.replace(f"@{name}@", value)
    return text


_HIDE = """/* A pair of keys of which one is hidden, or both: its scores are stored already. */
static __attribute__((noinline)) void @NAME@_hide(const uint8_t *hidden, uint32_t *low,
    uint32_t *high, int32_t *tops) {
  for (int32_t key = 0; key < 2; ++key) {
    const uint32_t taken = UINT32_C(0xffff) << (16 * key);
    for (int32_t r = 0; r < 4; ++r) {
      if (hidden[key]) {
        low[r] &= ~taken;
        high[r >> 1] = (high[r >> 1] & ~taken) | (UINT32_C(0x80808080) & taken);
      } else {
        const int32_t upper = (int8_t)(high[r >> 1] >> (16 * key + 8 * (r & 1)));
        tops[r] = te_max(tops[r], upper * 65536 + (int32_t)(low[r] >> (16 * key) & 0xffff));
      }
    }
  }
}

"""

_SEEN = """\
    if (hidden[j] | hidden[j + 1]) {
      @NAME@_hide(hidden + j, lows, highs, tops);
    } else {
"""

_C = """
#define @MACRO@_GROUP \\
  "ldr %[u], [%[k], #@WIDTH@]\\n\\t" \\
  "ldr %[t], [%[k]]\\n\\t" \\
  "sxtb16 %[u], %[u]\\n\\t" \\
  "sxtb16 %[t], %[t]\\n\\t" \\
  "ldrd %[a], %[b], [%[x]], #32\\n\\t" \\
  @MACRO@_ROWS("0", "1") \\
  "ldrd %[a], %[b], [%[x], #-24]\\n\\t" \\
  @MACRO@_ROWS("2", "3") \\
  "ldr %[u], [%[k], #@WIDTH@]\\n\\t" \\
  "ldr %[t], [%[k]], #4\\n\\t" \\
  "sxtb16 %[u], %[u], ror #8\\n\\t" \\
  "sxtb16 %[t], %[t], ror #8\\n\\t" \\
  "ldrd %[a], %[b], [%[x], #-16]\\n\\t" \\
  @MACRO@_ROWS("0", "1") \\
  "ldrd %[a], %[b], [%[x], #-8]\\n\\t" \\
  @MACRO@_ROWS("2", "3")
#define @MACRO@_ROWS(R, S) \\
  "smlad %[s" R "], %[a], %[t], %[s" R "]\\n\\t" \\
  "smlad %[z" R "], %[a], %[u], %[z" R "]\\n\\t" \\
  "smlad %[s" S "], %[b], %[t], %[s" S "]\\n\\t" \\
  "smlad %[z" S "], %[b], %[u], %[z" S "]\\n\\t"

static inline void @NAME@_largest(int32_t *tops, int32_t s0, int32_t s1, int32_t s2, int32_t s3) {
  tops[0] = te_max(tops[0], s0);
  tops[1] = te_max(tops[1], s1);
  tops[2] = te_max(tops[2], s2);
  tops[3] = te_max(tops[3], s3);
}

/* Scores s and z of two keys for two rows. */
static inline void @NAME@_store(uint32_t *low, uint32_t *high, int32_t s0, int32_t s1,
    int32_t z0, int32_t z1) {
  uint32_t low0, low1, high0, high1;
  __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(low0) : "r"(s0), "r"(z0));
  __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(low1) : "r"(s1), "r"(z1));
  __asm__("pkhtb %0, %2, %1, asr #16\\n\\tuxtb16 %0, %0" : "=r"(high0) : "r"(s0), "r"(z0));
  __asm__("pkhtb %0, %2, %1, asr #16\\n\\tuxtb16 %0, %0" : "=r"(high1) : "r"(s1), "r"(z1));
  low[0] = low0;
  low[1] = low1;
  high[0] = high0 | high1 << 8;
}

@HIDE@/* One key against four queries: the last of an odd number. */
static inline void @NAME@_last(const int16_t *wide, const int8_t *k, int32_t *s) {
  s[0] = s[1] = s[2] = s[3] = 0;
  for (int32_t c = 0; c < @WIDTH@; ++c) {
    const int16_t *const x = wide + 4 * (c & ~3) + 8 * (c & 1) + ((c & 2) >> 1);
    s[0] += x[0] * k[c];
    s[1] += x[2] * k[c];
    s[2] += x[4] * k[c];
    s[3] += x[6] * k[c];
  }
}

static void @NAME@(const int16_t *wide, const int8_t *k, @MASK@int16_t *low,
    int8_t *high, int32_t *last, int32_t *tops, int32_t keys) {
  uint32_t *lows = (uint32_t *)low, *highs = (uint32_t *)high;
  const int16_t *const end = wide + 4 * @WIDTH@;
  tops[0] = tops[1] = tops[2] = tops[3] = -(1 << 23);
  int32_t j = 0;
  for (; j + 1 < keys; j += 2) {
    const int16_t *x = wide;
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0, z0 = 0, z1 = 0, z2 = 0, z3 = 0, a, b, t, u;
    __asm__ volatile(
        "1:\\n\\t" @GROUPS@
        "ldr %[a], %[end]\\n\\t"
        "cmp %[x], %[a]\\n\\t"
        "bne 1b\\n\\t"
        : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [z0] "+r"(z0),
          [z1] "+r"(z1), [z2] "+r"(z2), [z3] "+r"(z3), [x] "+r"(x), [k] "+r"(k),
          [a] "=&r"(a), [b] "=&r"(b), [t] "=&r"(t), [u] "=&r"(u)
        : [end] "m"(end)
        : "cc", "memory");
    @NAME@_store(lows, highs, s0, s1, z0, z1);
    @NAME@_store(lows + 2, highs + 1, s2, s3, z2, z3);
@SEEN@      @NAME@_largest(tops, te_max(s0, z0), te_max(s1, z1), te_max(s2, z2), te_max(s3, z3));
    }
    lows += 4;
    highs += 2;
    k += @WIDTH@;
  }
  if (j < keys) {
    @NAME@_last(wide, k, last);
    if (@HIDDEN@) {
      last[0] = last[1] = last[2] = last[3] = -(1 << 23);
    } else {
      @NAME@_largest(tops, last[0], last[1], last[2], last[3]);
    }
  }
  for (int32_t r = 0; r < 4; ++r) {
    tops[r] = tops[r] == -(1 << 23) ? 0 : tops[r];
  }
}
"""
