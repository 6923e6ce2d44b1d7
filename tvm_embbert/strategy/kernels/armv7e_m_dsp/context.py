"""Attention contexts: weights of four rows times the values where they lie, two channels at once.

Halfwords of two keys make a word, which SXTB16 takes apart into a pair of keys for each channel.
"""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import call as arithmetic
from tvm_embbert.strategy.kernels.arithmetic import multiply_high, saturate, widened
from tvm_embbert.strategy.kernels.armv7e_m_dsp import GUARD
from tvm_embbert.strategy.kernels.armv7e_m_dsp.widen import ROWS
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.tir import prim_func

UNROLLED = 8
"""Pairs of keys that a turn of the inner loop takes, unless tuned."""
_STEP = 255
"""The greatest width that a load can add to its address."""


def context(width: int, pairs: int = UNROLLED) -> Intrinsic:
    """Return the intrinsic: the mean of values (keys, width) for up to 4 rows of weights.

    A turn of the inner loop takes `pairs` pairs of keys, a power of two from 4 on.
    """
    name = f"te_dsp_context_{width}{'' if pairs == UNROLLED else f'_{pairs}'}"
    load = _LOAD if width <= _STEP else _LOAD_FAR
    source = _C.replace("@LOAD@", load)
    fields = {"NAME": name, "MACRO": name.upper(), "WIDTH": str(width)}
    fields |= {"TURN": " ".join([f"{name.upper()}_PAIRS"] * (pairs // 4)), "REST": str(pairs - 1)}
    for field, value in fields.items():
        source = source.replace(f"@{field}@", value)
    return Intrinsic(name, source, context_meaning(width), ("keys", "rows"), guard=GUARD, gcc=True)


def context_meaning(width: int, block: int = ROWS) -> Any:
    """Return what the intrinsic means for weights of `block` rows."""
    with prim_func("context") as tir:
        keys, rows = tir.dim("keys"), tir.dim("rows")
        weights = tir.tensor("weights", (T.truncdiv(keys, 2), block, 2), "int16")
        last = tir.tensor("last", (block,), "int32")
        v = tir.tensor("v", (keys, width), "int8")
        totals = tir.tensor("totals", (block,), "int32")
        numerator, shift = tir.scalar("numerator"), tir.scalar("shift")
        result = tir.tensor("result", (rows, width), "int8")
        total = tir.local("total", "int32")
        with tir.loop("i", rows) as i, tir.loop("c", width) as c:
            inverse = T.truncdiv(numerator, T.max(totals[i], 1))
            tir.store(total, 0, arithmetic("int32", "rounding_offset", inverse, shift))
            with tir.loop("j", T.truncdiv(keys, 2) * 2) as j:
                weight = widened(weights[T.truncdiv(j, 2), i, T.truncmod(j, 2)])
                tir.accumulate(total, 0, weight * widened(v[j, c]))
            with tir.when(T.truncmod(keys, 2) > 0):
                tir.accumulate(total, 0, last[i] * widened(v[keys - 1, c]))
            shifted = arithmetic("int32", "shift_left", total[0], shift)
            tir.store(result, (i, c), saturate(multiply_high(shifted, inverse), "int8"))
    return tir.prim_func


_LOAD = """\\
  "ldrh %[t], [%[v]], #@WIDTH@\\n\\t" \\
  "ldrh %[u], [%[v]], #@WIDTH@\\n\\t" """

_LOAD_FAR = """\\
  "ldrh %[t], [%[v]]\\n\\t" \\
  "ldrh %[u], [%[v], #@WIDTH@]\\n\\t" \\
  "add %[v], %[v], #@WIDTH@\\n\\t" \\
  "add %[v], %[v], #@WIDTH@\\n\\t" """

_C = """
#define @MACRO@_PAIR @LOAD@\\
  "ldrd %[a], %[b], [%[w]], #16\\n\\t" \\
  "pkhbt %[t], %[t], %[u], lsl #16\\n\\t" \\
  "sxtb16 %[u], %[t], ror #8\\n\\t" \\
  "sxtb16 %[t], %[t]\\n\\t" \\
  "smlad %[s0], %[a], %[t], %[s0]\\n\\t" \\
  "smlad %[z0], %[a], %[u], %[z0]\\n\\t" \\
  "smlad %[s1], %[b], %[t], %[s1]\\n\\t" \\
  "smlad %[z1], %[b], %[u], %[z1]\\n\\t" \\
  "ldrd %[a], %[b], [%[w], #-8]\\n\\t" \\
  "smlad %[s2], %[a], %[t], %[s2]\\n\\t" \\
  "smlad %[z2], %[a], %[u], %[z2]\\n\\t" \\
  "smlad %[s3], %[b], %[t], %[s3]\\n\\t" \\
  "smlad %[z3], %[b], %[u], %[z3]\\n\\t"
#define @MACRO@_PAIRS @MACRO@_PAIR @MACRO@_PAIR @MACRO@_PAIR @MACRO@_PAIR

static inline int8_t @NAME@_requantize(int32_t total, int32_t multiplier) {
  int32_t scaled;
  __asm__("smmul %0, %1, %2\\n\\tssat %0, #8, %0" : "=&r"(scaled) : "r"(total), "r"(multiplier));
  return (int8_t)scaled;
}

static inline void @NAME@_store(int8_t *to, int32_t sum0, int32_t sum1, const int32_t *scale,
    int32_t shift) {
  to[0] = @NAME@_requantize(te_shift_left(sum0 + scale[1], shift), scale[0]);
  to[1] = @NAME@_requantize(te_shift_left(sum1 + scale[1], shift), scale[0]);
}

/* Up to four rows; rows that are not there repeat the last one. */
static void @NAME@(const int16_t *weights, const int32_t *last, const int8_t *values,
    const int32_t *totals, int32_t numerator, int32_t shift, int8_t *result, int32_t keys,
    int32_t rows) {
  const int16_t *const eights = weights + 8 * ((keys >> 1) & ~@REST@);
  const int16_t *const end = weights + 8 * (keys >> 1);
  int8_t *const y1 = result + te_min(1, rows - 1) * @WIDTH@;
  int8_t *const y2 = result + te_min(2, rows - 1) * @WIDTH@;
  int8_t *const y3 = result + te_min(3, rows - 1) * @WIDTH@;
  int32_t scale[4][2];
  for (int32_t r = 0; r < 4; ++r) {
    scale[r][0] = numerator / te_max(totals[r], 1);
    scale[r][1] = te_rounding_offset(scale[r][0], shift);
  }
  for (int32_t c = 0; c < @WIDTH@; c += 2) {
    const int16_t *w = weights;
    const int8_t *v = values + c;
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0, z0 = 0, z1 = 0, z2 = 0, z3 = 0, a, b, t, u;
    __asm__ volatile(
        "b 2f\\n"
        "1:\\n\\t" @TURN@
        "2:\\n\\t"
        "ldr %[a], %[eights]\\n\\t"
        "cmp %[w], %[a]\\n\\t"
        "bne 1b\\n\\t"
        "b 4f\\n"
        "3:\\n\\t" @MACRO@_PAIR
        "4:\\n\\t"
        "ldr %[a], %[end]\\n\\t"
        "cmp %[w], %[a]\\n\\t"
        "bne 3b\\n\\t"
        : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [z0] "+r"(z0),
          [z1] "+r"(z1), [z2] "+r"(z2), [z3] "+r"(z3), [w] "+r"(w), [v] "+r"(v),
          [a] "=&r"(a), [b] "=&r"(b), [t] "=&r"(t), [u] "=&r"(u)
        : [eights] "m"(eights), [end] "m"(end)
        : "cc", "memory");
    if (keys & 1) {
      s0 += last[0] * v[0], z0 += last[0] * v[1];
      s1 += last[1] * v[0], z1 += last[1] * v[1];
      s2 += last[2] * v[0], z2 += last[2] * v[1];
      s3 += last[3] * v[0], z3 += last[3] * v[1];
    }
    @NAME@_store(result + c, s0, z0, scale[0], shift);
    @NAME@_store(y1 + c, s1, z1, scale[1], shift);
    @NAME@_store(y2 + c, s2, z2, scale[2], shift);
    @NAME@_store(y3 + c, s3, z3, scale[3], shift);
  }
}
"""
