"""Attention contexts: weights of two rows in a word times the values, some channels at a time."""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import call as arithmetic
from tvm_embbert.strategy.kernels.arithmetic import multiply_high, saturate, widened
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.scalar.form import LONG, LONG_WEIGHTS, Block, filled
from tvm_embbert.strategy.kernels.scalar.sums import Walk, fills, guard_of, sums, sums_and_rest
from tvm_embbert.strategy.kernels.scalar.words import row_of
from tvm_embbert.strategy.kernels.tir import prim_func


def contexts(block: Block, width: int) -> Intrinsic:
    """Return the intrinsic: the mean of ``v`` int8 (keys, width) for each of up to `rows` rows."""
    name = f"te_scalar_contexts_{width}_{block.name}"
    walk = Walk(step=width, output=1, word=block.words)
    fields = {
        "SCALED": SCALED,
        "ALL": _whole(block, name),
        "STORED": "".join(map(stored, range(block.outputs))),
        "REST": filled(_REST, {"ALL": _whole(block, name, 1)}) if width % block.outputs else "",
        "WHOLE": width - width % block.outputs,
        "NAME": name,
        "CHANNELS": block.outputs,
        "WIDTH": width,
        "WORD": block.words,
        "ROWS": block.rows,
    }
    summing = sums_and_rest if width % block.outputs else sums
    source = summing(f"{name}_sums", block, walk) + filled(_C, fields)
    return Intrinsic(
        name,
        source,
        _meaning(block, width),
        ("keys", "rows"),
        guard=guard_of(block),
        gcc=fills(block),
    )


def _whole(block: Block, name: str, outputs: int = 0) -> str:
    """Return the sums over all keys: those that a long sum has no room for are added up."""
    suffix = "_one" if outputs else ""
    first = "te_min(keys, @STEPS@)" if block.multiply == LONG else "keys"
    more = _MORE if block.multiply == LONG else ""
    text = f"{name}_sums{suffix}(words, values + c, {first}, sums);\n{more}"
    return filled(
        text,
        {
            "SUMS": f"{name}_sums{suffix}",
            "STEPS": LONG_WEIGHTS,
            "COUNT": block.rows * (outputs or block.outputs),
        },
    )


def _meaning(block: Block, width: int) -> Any:
    with prim_func("contexts") as tir:
        keys, rows = tir.dim("keys"), tir.dim("rows")
        words = tir.tensor("words", (keys, block.words), "int32")
        v = tir.tensor("v", (keys, width), "int8")
        totals = tir.tensor("totals", (block.rows,), "int32")
        numerator, shift = tir.scalar("numerator"), tir.scalar("shift")
        result = tir.tensor("result", (rows, width), "int8")
        total = tir.local("total", "int32")
        for r in range(block.rows):
            with tir.when(r < rows), tir.loop("c", width) as c:
                inverse = T.truncdiv(numerator, T.max(totals[r], 1))
                tir.store(total, 0, arithmetic("int32", "rounding_offset", inverse, shift))
                with tir.loop("j", keys) as j:
                    weight = row_of(words, j, r, block)
                    tir.accumulate(total, 0, weight * widened(v[j, c]))
                shifted = arithmetic("int32", "shift_left", total[0], shift)
                tir.store(result, (r, c), saturate(multiply_high(shifted, inverse), "int8"))
    return tir.prim_func


def stored(c: int) -> str:
    """Return the statement that stores channel c of a block's row."""
    return f"      to[{c}] = @NAME@_scaled(sums[{c} * @ROWS@ + r], scale[r], shift);\n"


_MORE = """\
    for (int32_t j = @STEPS@; j < keys; j += @STEPS@) {
      int32_t more[@COUNT@];
      @SUMS@(words + j * @WORD@, values + j * @WIDTH@ + c, te_min(keys - j, @STEPS@), more);
      for (int32_t n = 0; n < @COUNT@; ++n) {
        sums[n] += more[n];
      }
    }
"""

_REST = """\
  for (int32_t c = @WHOLE@; c < @WIDTH@; ++c) {
    @ALL@    for (int32_t r = 0; r < rows; ++r) {
      result[r * @WIDTH@ + c] = @NAME@_scaled(sums[r], scale[r], shift);
    }
  }
"""

SCALED = """
static inline int8_t @NAME@_scaled(int32_t sum, const int32_t *scale, int32_t shift) {
  const int32_t total = te_shift_left(sum + scale[1], shift);
  return te_saturate_int8(te_multiply_high(total, scale[0]));
}
"""
"""C that turns a row's sum into its result; ``scale`` is the row's factor and offset."""

_C = """\
@SCALED@
/* The rows that there are. */
static void @NAME@(const int32_t *words, const int8_t *values, const int32_t *totals,
    int32_t numerator, int32_t shift, int8_t *result, int32_t keys, int32_t rows) {
  int32_t scale[@ROWS@][2], sums[@CHANNELS@ * @ROWS@];
  for (int32_t r = 0; r < rows; ++r) {
    scale[r][0] = numerator / te_max(totals[r], 1);
    scale[r][1] = te_rounding_offset(scale[r][0], shift);
  }
  for (int32_t c = 0; c < @WHOLE@; c += @CHANNELS@) {
    @ALL@    for (int32_t r = 0; r < rows; ++r) {
      int8_t *const to = result + r * @WIDTH@ + c;
@STORED@    }
  }
@REST@}
"""
