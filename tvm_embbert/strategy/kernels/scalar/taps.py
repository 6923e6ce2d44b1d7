"""Depthwise convolution of a channel: words of neighbouring rows, which are walked tap by tap."""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import call as arithmetic
from tvm_embbert.strategy.kernels.arithmetic import multiply_high, saturate, widened
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.scalar.form import Block, filled
from tvm_embbert.strategy.kernels.scalar.sums import Walk, fills, guard_of, sums
from tvm_embbert.strategy.kernels.scalar.words import half_of
from tvm_embbert.strategy.kernels.tir import Expr, prim_func


def neighbours_of(rows: Any, taps: Any) -> Any:
    """Return the words of a group of rows, filled up to an even number of them."""
    return taps + rows


def neighbours(bits: int) -> Intrinsic:
    """Return the intrinsic: ``words`` of rows (y, y + 1) of a channel, the first ``taps - 1`` rows
    in front of row `first`, the last the group's last row and what is behind it.

    Rows in front of the input are zeros, as is the one behind the group.
    """
    name = f"te_scalar_neighbours_{bits}"
    dims = ("taps", "group", "before", "rows", "channels")
    eight = "".join(map(_neighbour, range(8)))
    fields = {"EIGHT": eight, "NAME": name, "BITS": bits}
    return Intrinsic(name, filled(_NEIGHBOURS, fields), _words(bits), dims)


def _neighbour(n: int) -> str:
    return (
        f"    high = from[{n + 1} * channels];\n"
        f"    words[{n}] = low + high * (1 << @BITS@), low = high;\n"
    )


def taps(block: Block, number: int) -> Intrinsic:
    """Return the intrinsic: a group of rows of one channel of the result, from its words."""
    name = f"te_scalar_taps_{number}_{block.name}"
    walk = Walk(step=1, output=0, word=1, pair=2)
    fields = {"ROWS": block.rows, "TAPS": number, "NAME": name}
    source = sums(f"{name}_sums", block, walk) + filled(_TAPS, fields)
    return Intrinsic(
        name,
        source,
        taps_meaning(block, number),
        ("group", "outputs"),
        (),
        guard_of(block),
        fills(block),
    )


def _words(bits: int) -> Any:
    with prim_func("neighbours") as tir:
        number, group = tir.dim("taps"), tir.dim("group")
        before, rows, channels = (tir.dim(n) for n in ("before", "rows", "channels"))
        x = tir.tensor("x", (before + rows, channels), "int8")
        first, channel = tir.scalar("first"), tir.scalar("channel")
        words = tir.tensor("words", (number + group - 1,), "int32")
        half = tir.local("half", "int32", 2)
        with tir.loop("e", number + group - 1) as e:
            for n in (0, 1):
                y = before + first - number + 1 + e + n
                inside = T.And(y >= 0, e + n < number + group - 1)
                tir.store(half, n, 0)
                with tir.when(inside):
                    tir.store(half, n, widened(x[y, channel]))
            tir.store(words, e, half[0] + half[1] * (1 << bits))
    return tir.prim_func


def taps_meaning(block: Block, number: int) -> Any:
    """Return what taps of words mean, however they are multiplied."""
    with prim_func("taps") as tir:
        group, outputs = tir.dim("group"), tir.dim("outputs")
        words = tir.tensor("words", (number + group - 1,), "int32")
        weight = tir.tensor("weight", (number,), "int8")
        bias, multiplier, shift = (tir.scalar(n) for n in ("bias", "multiplier", "shift"))
        result = tir.tensor("result", (group, outputs), "int8")
        total = tir.local("total", "int32")
        with tir.loop("i", group) as i:
            tir.store(total, 0, bias)
            with tir.loop("t", number) as t:
                value: Expr = half_of(words[i + t], False, block.bits)
                tir.accumulate(total, 0, value * widened(weight[t]))
            shifted = arithmetic("int32", "shift_left", total[0], shift)
            tir.store(result, (i, 0), saturate(multiply_high(shifted, multiplier), "int8"))
    return tir.prim_func


_NEIGHBOURS = """
static void @NAME@(const int8_t *x, int32_t first, int32_t channel, int32_t *words, int32_t taps,
    int32_t group, int32_t before, int32_t rows, int32_t channels) {
  const int32_t y = before + first - taps + 1;
  const int8_t *from = x + te_max(y, 0) * channels + channel;
  int32_t left = taps + group - 1 - te_max(-y, 0), low, high;
  (void)rows;
  for (int32_t n = y; n < -1 && n < y + taps + group - 1; ++n) {
    *words++ = 0;
  }
  low = *from;
  if (y < 0) { /* The row in front of the first is zero. */
    *words++ = low * (1 << @BITS@);
  }
  for (; left > 8; left -= 8) {
@EIGHT@    from += 8 * channels, words += 8;
  }
  for (; left > 2; left -= 2) {
    from += channels, high = *from;
    words[0] = low + high * (1 << @BITS@);
    from += channels, low = *from;
    words[1] = high + low * (1 << @BITS@);
    words += 2;
  }
  if (left > 1) {
    from += channels, high = *from;
    *words++ = low + high * (1 << @BITS@), low = high;
  }
  *words = low;
}
"""

_TAPS = """
/* Rows behind the group take words of what is not there: they are not stored. */
static void @NAME@(const int32_t *words, const int8_t *weight, int32_t bias, int32_t multiplier,
    int32_t shift, int8_t *result, int32_t group, int32_t outputs) {
  int32_t sums[@ROWS@];
  for (int32_t first = 0; first < group; first += @ROWS@) {
    @NAME@_sums(words + first, weight, @TAPS@, sums);
    for (int32_t r = 0; r < te_min(@ROWS@, group - first); ++r) {
      const int32_t total = te_shift_left(sums[r] + bias, shift);
      *result = te_saturate_int8(te_multiply_high(total, multiplier));
      result += outputs;
    }
  }
}
"""
