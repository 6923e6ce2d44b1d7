"""Attention contexts of rows by threes: entries of the keys that count, some channels at a time."""

from __future__ import annotations

from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.scalar.burst_contexts import mean_of_entries
from tvm_embbert.strategy.kernels.scalar.contexts import SCALED, stored
from tvm_embbert.strategy.kernels.scalar.entries import entry_words
from tvm_embbert.strategy.kernels.scalar.form import TRIPLE_REACH, TRIPLE_STEPS, Block, filled
from tvm_embbert.strategy.kernels.scalar.sums import Walk, fills, guard_of, sums, sums_and_rest

SURE = TRIPLE_REACH // 128
"""A sum of weights that values of int8 cannot carry out of a triple sum's reach."""


def entry_contexts(block: Block, width: int) -> Intrinsic:
    """Return the intrinsic: the mean of ``v`` int8 (keys, width) for each of up to `rows` rows.

    ``entries`` and ``totals`` are those of :mod:`.entries`.
    """
    name = f"te_scalar_contexts_{width}_{block.name}"
    walk = Walk(step=0, output=1, word=entry_words(block), placed=True)
    whole = width - width % block.outputs
    fields = {
        "SCALED": SCALED,
        "STORED": "".join(map(stored, range(block.outputs))),
        "REST": _REST if whole < width else "",
        "CHANNELS": block.outputs,
        "STEPS": TRIPLE_STEPS,
        "ROWS": block.rows,
        "WHOLE": whole,
        "WIDTH": width,
        "SURE": SURE,
        "NAME": name,
    }
    summing = sums_and_rest if whole < width else sums
    return Intrinsic(
        name,
        summing(f"{name}_sums", block, walk) + filled(_C, fields),
        mean_of_entries(block, width),
        ("keys", "rows"),
        guard=guard_of(block),
        gcc=fills(block),
    )


_REST = """\
  for (int32_t c = @WHOLE@; c < @WIDTH@; ++c) {
    @NAME@_sums_one(entries, values + c, count, reach, sums);
    for (int32_t r = 0; r < rows; ++r) {
      result[r * @WIDTH@ + c] = @NAME@_scaled(sums[r], scale[r], shift);
    }
  }
"""

_C = """\
@SCALED@
/* The rows that there are. Where weights are few, all their products fit one sum. */
static void @NAME@(const int32_t *entries, const int8_t *values, const int32_t *totals,
    int32_t numerator, int32_t shift, int8_t *result, int32_t keys, int32_t rows) {
  int32_t scale[@ROWS@][2], sums[@CHANNELS@ * @ROWS@], largest = 0;
  const int32_t count = totals[@ROWS@];
  for (int32_t r = 0; r < @ROWS@; ++r) {
    scale[r][0] = numerator / te_max(totals[r], 1);
    scale[r][1] = te_rounding_offset(scale[r][0], shift);
    largest = te_max(largest, totals[r]);
  }
  const int32_t reach = largest <= @SURE@ ? keys : @STEPS@;
  for (int32_t c = 0; c < @WHOLE@; c += @CHANNELS@) {
    @NAME@_sums(entries, values + c, count, reach, sums);
    for (int32_t r = 0; r < rows; ++r) {
      int8_t *const to = result + r * @WIDTH@ + c;
@STORED@    }
  }
@REST@}
"""
