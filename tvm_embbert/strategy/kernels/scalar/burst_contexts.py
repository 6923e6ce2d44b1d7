"""Attention contexts by bursts: entries of the keys that count, times a channel of the values."""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import call as arithmetic
from tvm_embbert.strategy.kernels.arithmetic import multiply_high, saturate, widened
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.scalar.burst import (
    REGISTERS,
    cleared,
    clobbered,
    lines,
    listed,
    multiplied,
    parted,
)
from tvm_embbert.strategy.kernels.scalar.contexts import SCALED
from tvm_embbert.strategy.kernels.scalar.entries import PLACED, entry_words
from tvm_embbert.strategy.kernels.scalar.form import LONG_REACH, Block, filled
from tvm_embbert.strategy.kernels.scalar.sums import guard_of
from tvm_embbert.strategy.kernels.scalar.words import row_of
from tvm_embbert.strategy.kernels.tir import prim_func

MOST = LONG_REACH // (127 * 128) // 4 * 4
"""Keys whose long sum surely stays within, weights being 0 to 127: whole loads of them."""


def burst_contexts(block: Block, width: int) -> Intrinsic:
    """Return the intrinsic: the mean of ``v`` int8 (keys, width) for each of up to `rows` rows.

    ``entries`` and ``totals`` are those of :mod:`.entries`.
    """
    name = f"te_scalar_contexts_{width}_{block.name}"
    fields = {
        "SCALED": SCALED,
        "CHANNEL": lines(_channel(block)),
        "CLOBBERED": clobbered(("r0", "r1", "r12", "lr")),
        "ALL": "".join(_stored(block, r) for r in range(block.rows)),
        "GROUP": 4 * len(_group(block)),
        "PLACED": PLACED[block.words],
        "ENTRY": entry_words(block),
        "UNROLL": block.unroll,
        "MOST": MOST,
        "WIDTH": width,
        "ROWS": block.rows,
        "NAME": name,
    }
    meaning = mean_of_entries(block, width)
    dims, guard = ("keys", "rows"), guard_of(block)
    return Intrinsic(name, filled(_C, fields), meaning, dims, guard=guard, gcc=True)


def _sums(block: Block) -> tuple[str, ...]:
    return REGISTERS[2 : 2 + 2 * block.words]


def _group(block: Block) -> list[str]:
    """Return the instructions for the keys of a load, each of 4 bytes."""
    first, size = 2 + 2 * block.words, entry_words(block)
    held = REGISTERS[first : first + size * PLACED[block.words]]
    found = [f"ldm.w r0!, {listed(held)}"]
    for n in range(0, len(held), size):
        *words, place = held[n : n + size]
        # The byte takes the place of where it lies.
        found += [f"ldrsb.w {place}, [r1, {place}]", *multiplied(_sums(block), words, place)]
    return found


def _channel(block: Block) -> list[str]:
    """Return the instructions for a channel; the first turn begins within."""
    sums = _sums(block)
    turn = _group(block) * block.unroll
    # The program counter is two instructions ahead.
    entered = [*cleared(sums), "add pc, lr", "nop"]
    stored = ["ldr r0, %[sums]", f"stm r0, {listed(sums)}"]
    return [*entered, "1:", *turn, "cmp r0, r12", "bne 1b", *parted(sums, "lr"), *stored]


def _stored(block: Block, r: int) -> str:
    return f"      to[{r} * @WIDTH@] = @NAME@_scaled(sums[{r}], scale[{r}], shift);\n"


def mean_of_entries(block: Block, width: int) -> Any:
    """Return the meaning of contexts by entries; see :mod:`.entries`."""
    with prim_func("contexts") as tir:
        keys, rows = tir.dim("keys"), tir.dim("rows")
        most = T.truncdiv(keys + 3, 4) * 4
        entries = tir.tensor("entries", (most, entry_words(block)), "int32")
        v = tir.tensor("v", (keys, width), "int8")
        totals = tir.tensor("totals", (2, block.rows), "int32")
        numerator, shift = tir.scalar("numerator"), tir.scalar("shift")
        result = tir.tensor("result", (rows, width), "int8")
        total = tir.local("total", "int32")
        for r in range(block.rows):
            with tir.when(r < rows), tir.loop("c", width) as c:
                inverse = T.truncdiv(numerator, T.max(totals[0, r], 1))
                tir.store(total, 0, arithmetic("int32", "rounding_offset", inverse, shift))
                with tir.loop("e", totals[1, 0]) as e:
                    weight = row_of(entries, e, r, block)
                    key = T.truncdiv(entries[e, block.words], width)
                    tir.accumulate(total, 0, weight * widened(v[key, c]))
                shifted = arithmetic("int32", "shift_left", total[0], shift)
                tir.store(result, (r, c), saturate(multiply_high(shifted, inverse), "int8"))
    return tir.prim_func


_C = """
/* Some entries times a channel; a function, so that registers are saved at once. The bytes to skip
 * in the first turn are those of loads that it lacks. */
static __attribute__((noinline)) void @NAME@_channel(const int32_t *entries, const int8_t *values,
    const int32_t *end, int32_t skip, int32_t *sums) {
  register const int32_t *x __asm__("r0") = entries;
  register const int8_t *v __asm__("r1") = values;
  register const int32_t *last __asm__("r12") = end;
  register int32_t skipped __asm__("lr") = skip;
  __asm__ volatile(@CHANNEL@
      : "+r"(x), "+r"(v), "+r"(last), "+r"(skipped)
      : [sums] "m"(sums)
      : @CLOBBERED@);
}

static inline int32_t @NAME@_skip(int32_t count) {
  return (-(count / @PLACED@) & (@UNROLL@ - 1)) * @GROUP@;
}
@SCALED@
/* The rows that there are. */
static void @NAME@(const int32_t *entries, const int8_t *values, const int32_t *totals,
    int32_t numerator, int32_t shift, int8_t *result, int32_t keys, int32_t rows) {
  int32_t scale[@ROWS@][2], sums[@ROWS@], more[@ROWS@];
  const int32_t count = totals[@ROWS@], most = te_min(count, @MOST@), skip = @NAME@_skip(most);
  const int32_t *const end = entries + most * @ENTRY@;
  (void)keys;
  for (int32_t r = 0; r < rows; ++r) {
    scale[r][0] = numerator / te_max(totals[r], 1);
    scale[r][1] = te_rounding_offset(scale[r][0], shift);
  }
  for (int32_t c = 0; c < @WIDTH@; ++c) {
    int8_t *const to = result + c;
    @NAME@_channel(entries, values + c, end, skip, sums);
    for (int32_t first = @MOST@; first < count; first += @MOST@) {
      const int32_t *const x = entries + first * @ENTRY@;
      const int32_t some = te_min(count - first, @MOST@);
      @NAME@_channel(x, values + c, x + some * @ENTRY@, @NAME@_skip(some), more);
      for (int32_t r = 0; r < @ROWS@; ++r) {
        sums[r] += more[r];
      }
    }
    if (rows == @ROWS@) {
@ALL@    } else {
      for (int32_t r = 0; r < rows; ++r) {
        to[r * @WIDTH@] = @NAME@_scaled(sums[r], scale[r], shift);
      }
    }
  }
}
"""
