"""Depthwise convolution of two channels: their rows as pairs of neighbours, times pairs of taps.

A group of rows shares the pairs. Rows in front of the first are zeros there.
"""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import call as arithmetic
from tvm_embbert.strategy.kernels.arithmetic import multiply_high, saturate, widened
from tvm_embbert.strategy.kernels.armv7e_m_dsp import GUARD
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.tir import Expr, prim_func

GROUP_ROWS = 16
"""Rows that share the pairs, unless tuned."""
UNROLLED = 8
"""Taps that a turn of the inner loop takes, unless tuned: their number is a multiple."""


def neighbours(group: int = GROUP_ROWS) -> Intrinsic:
    """Return the intrinsic: ``pairs`` (taps + group - 2, 2, 2) of rows (y, y + 1), two channels.

    The first y is ``taps - 1`` rows in front of the group's first row; pairs are written up to the
    group's last row.
    """
    name = "te_dsp_neighbours"
    source = _PAIRS
    if group != GROUP_ROWS:
        name = f"{name}_{group}"
        for old, new in {
            "TE_DSP_NEIGHBOURS": name.upper(),
            "te_dsp_neighbours(": f"{name}(",
            "up to 16": f"up to {group}",
            "first, 16)": f"first, {group})",
            "  for (; left > 1; left -= 2) {": _eights(name.upper())
            + "  for (; left > 1; left -= 2) {",
        }.items():
            source = source.replace(old, new)
    dims = ("taps", "before", "rows", "channels")
    return Intrinsic(name, source, _pairs(group), dims, guard=GUARD)


def _eights(macro: str) -> str:
    """Return the loop of the C that makes eight pairs a turn."""
    start, end = _PAIRS.index(_TWOS), _PAIRS.index("  if (left > 0) {")
    loop = _PAIRS[start:end].replace("left > 1; left -= 2", "left > 8; left -= 8")
    two = 'TE_DSP_NEIGHBOURS("%[low]", "%[high]") TE_DSP_NEIGHBOURS("%[high]", "%[low]")'
    eights = "\n        ".join([two] * 4)
    return loop.replace(two, eights).replace("TE_DSP_NEIGHBOURS", macro)


def taps(group: int = GROUP_ROWS) -> Intrinsic:
    """Return the intrinsic: up to a group's rows of two channels of the result."""
    dims = ("taps", "rows", "channels")
    return Intrinsic("te_dsp_taps", TAPS, taps_meaning(group), dims, guard=GUARD, gcc=True)


def pairs_of(number: Any, group: int = GROUP_ROWS) -> Any:
    """Return the pairs that a group may need for a number of taps."""
    return number + group - 2


def _pairs(rows_of_group: int) -> Any:
    with prim_func("neighbours") as tir:
        number, before = tir.dim("taps"), tir.dim("before")
        rows, channels = tir.dim("rows"), tir.dim("channels")
        x = tir.tensor("x", (before + rows, channels), "int8")
        first, channel = tir.scalar("first"), tir.scalar("channel")
        pairs = tir.tensor("pairs", (pairs_of(number, rows_of_group), 2, 2), "int16")
        group = T.min(rows - first, rows_of_group)
        with tir.loop("e", number + group - 2) as e:
            for c in range(2):
                for lane in range(2):
                    y = before + first - number + 1 + e + lane
                    value = T.if_then_else(y >= 0, x[y, channel + c], T.int8(0))
                    tir.store(pairs, (e, c, lane), T.Cast("int16", value))
    return tir.prim_func


def taps_meaning(group: int) -> Any:
    """Return what the intrinsic means for a group of rows."""
    with prim_func("taps") as tir:
        number, rows, channels = tir.dim("taps"), tir.dim("rows"), tir.dim("channels")
        pairs = tir.tensor("pairs", (pairs_of(number, group), 2, 2), "int16")
        weight = tir.tensor("weight", (T.truncdiv(number, 2), 2, 2), "int8")
        bias = tir.tensor("bias", (2,), "int32")
        multiplier = tir.tensor("multiplier", (2,), "int32")
        shift = tir.scalar("shift")
        result = tir.tensor("result", (rows, channels), "int8")
        total = tir.local("total", "int32")
        with tir.loop("i", rows) as i, tir.loop("c", 2) as c:
            tir.store(total, 0, bias[c])
            with tir.loop("p", T.truncdiv(number, 2)) as p:
                for lane in range(2):
                    product = widened(weight[p, lane, c]) * _neighbour(pairs, i + p * 2, c, lane)
                    tir.accumulate(total, 0, product)
            shifted = arithmetic("int32", "shift_left", total[0], shift)
            tir.store(result, (i, c), saturate(multiply_high(shifted, multiplier[c]), "int8"))
    return tir.prim_func


def _neighbour(pairs: Any, e: Expr, c: Expr, lane: int) -> Expr:
    return widened(pairs[e, c, lane])


_TWOS = "  for (; left > 1; left -= 2) {"

_PAIRS = """
#define TE_DSP_NEIGHBOURS(LOW, HIGH) \\
  "add %[from], %[from], %[channels]\\n\\t" \\
  "ldrh " HIGH ", [%[from]]\\n\\t" \\
  "pkhbt " LOW ", " LOW ", " HIGH ", lsl #16\\n\\t" \\
  "sxtb16 %[odd], " LOW ", ror #8\\n\\t" \\
  "sxtb16 " LOW ", " LOW "\\n\\t" \\
  "strd " LOW ", %[odd], [%[to]], #8\\n\\t"

/* Pairs of rows (y, y + 1) of two channels, for a group of up to 16 rows. */
static void te_dsp_neighbours(const int8_t *x, int32_t first, int32_t channel, int16_t *pairs,
    int32_t taps, int32_t before, int32_t rows, int32_t channels) {
  int32_t y = before + first - taps + 1;
  int32_t left = taps + te_min(rows - first, 16) - 2;
  int16_t *to = pairs;
  for (; y < -1 && left > 0; ++y, --left) {
    to[0] = to[1] = to[2] = to[3] = 0;
    to += 4;
  }
  if (left <= 0) {
    return;
  }
  const int8_t *from = x + te_max(y, 0) * channels + channel;
  int32_t low = 0, high, odd;
  if (y < 0) { /* The first pair begins in front of row 0. */
    from -= channels;
  } else {
    __asm__ volatile("ldrh %0, [%1]" : "=r"(low) : "r"(from) : "memory");
  }
  for (; left > 1; left -= 2) {
    __asm__ volatile(TE_DSP_NEIGHBOURS("%[low]", "%[high]") TE_DSP_NEIGHBOURS("%[high]", "%[low]")
        : [from] "+r"(from), [to] "+r"(to), [low] "+r"(low), [high] "=&r"(high), [odd] "=&r"(odd)
        : [channels] "r"(channels)
        : "memory");
  }
  if (left > 0) {
    __asm__ volatile(TE_DSP_NEIGHBOURS("%[low]", "%[high]")
        : [from] "+r"(from), [to] "+r"(to), [low] "+r"(low), [high] "=&r"(high), [odd] "=&r"(odd)
        : [channels] "r"(channels)
        : "memory");
  }
}
"""

TAPS = """
#define TE_DSP_TAPS_PAIR \\
  "ldr %[t], [%[w]], #4\\n\\t" \\
  "ldrd %[a], %[b], [%[x]], #16\\n\\t" \\
  "sxtb16 %[u], %[t], ror #8\\n\\t" \\
  "sxtb16 %[t], %[t]\\n\\t" \\
  "smlad %[s0], %[a], %[t], %[s0]\\n\\t" \\
  "smlad %[z0], %[b], %[u], %[z0]\\n\\t" \\
  "ldrd %[a], %[b], [%[x], #-8]\\n\\t" \\
  "smlad %[s1], %[a], %[t], %[s1]\\n\\t" \\
  "smlad %[z1], %[b], %[u], %[z1]\\n\\t" \\
  "ldrd %[a], %[b], [%[x]]\\n\\t" \\
  "smlad %[s2], %[a], %[t], %[s2]\\n\\t" \\
  "smlad %[z2], %[b], %[u], %[z2]\\n\\t" \\
  "ldrd %[a], %[b], [%[x], #8]\\n\\t" \\
  "smlad %[s3], %[a], %[t], %[s3]\\n\\t" \\
  "smlad %[z3], %[b], %[u], %[z3]\\n\\t"

static inline int8_t te_dsp_taps_requantize(int32_t total, int32_t multiplier) {
  int32_t scaled;
  __asm__("smmul %0, %1, %2\\n\\tssat %0, #8, %0" : "=&r"(scaled) : "r"(total), "r"(multiplier));
  return (int8_t)scaled;
}

static inline void te_dsp_taps_store(int8_t *to, int32_t sum0, int32_t sum1,
    const int32_t *multiplier, int32_t shift) {
  to[0] = te_dsp_taps_requantize(te_shift_left(sum0, shift), multiplier[0]);
  to[1] = te_dsp_taps_requantize(te_shift_left(sum1, shift), multiplier[1]);
}

/* Two channels of up to 16 rows, four at a time. */
static void te_dsp_taps(const int16_t *pairs, const int8_t *weight, const int32_t *bias,
    const int32_t *multiplier, int32_t shift, int8_t *result, int32_t taps, int32_t rows,
    int32_t channels) {
  const int8_t *const end = weight + 2 * taps;
  for (int32_t i = 0; i < rows; i += 4) {
    const int16_t *x = pairs + 4 * i;
    const int8_t *w = weight;
    int32_t s0 = bias[0], s1 = s0, s2 = s0, s3 = s0, z0 = bias[1], z1 = z0, z2 = z0, z3 = z0;
    int32_t a, b, t, u;
    __asm__ volatile(
        "1:\\n\\t" TE_DSP_TAPS_PAIR TE_DSP_TAPS_PAIR TE_DSP_TAPS_PAIR TE_DSP_TAPS_PAIR
        "ldr %[a], %[end]\\n\\t"
        "cmp %[w], %[a]\\n\\t"
        "bne 1b\\n\\t"
        : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [z0] "+r"(z0),
          [z1] "+r"(z1), [z2] "+r"(z2), [z3] "+r"(z3), [x] "+r"(x), [w] "+r"(w),
          [a] "=&r"(a), [b] "=&r"(b), [t] "=&r"(t), [u] "=&r"(u)
        : [end] "m"(end)
        : "cc", "memory");
    te_dsp_taps_store(result, s0, z0, multiplier, shift);
    result += channels;
    if (i + 1 < rows) {
      te_dsp_taps_store(result, s1, z1, multiplier, shift);
    }
    result += channels;
    if (i + 2 < rows) {
      te_dsp_taps_store(result, s2, z2, multiplier, shift);
    }
    result += channels;
    if (i + 3 < rows) {
      te_dsp_taps_store(result, s3, z3, multiplier, shift);
    }
    result += channels;
  }
}
"""
