"""Depthwise convolution of a channel by bursts: words stay in registers from tap to tap.

Tap t of rows (r, r + 1) takes the word that tap t - 2 took of the next two rows. So all even taps
come first, then the odd ones: each loads one word, for the last rows of the block.
"""

from __future__ import annotations

from collections.abc import Iterator

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
from tvm_embbert.strategy.kernels.scalar.form import Block, filled
from tvm_embbert.strategy.kernels.scalar.sums import guard_of
from tvm_embbert.strategy.kernels.scalar.taps import taps_meaning

MOST_TAPS = 64
"""Taps whose code, all in a row, is short enough."""


def burst_taps(block: Block, number: int) -> Intrinsic:
    """Return the intrinsic: a group of rows of one channel of the result, from its words."""
    name = f"te_scalar_taps_{number}_burst_{block.rows}"
    fields = {
        "SUMS": lines(_summed(block, number)),
        "CLOBBERED": clobbered(("r0", "r1")),
        "ALL": "".join(map(_stored, range(block.rows))),
        "ROWS": block.rows,
        "NAME": name,
    }
    meaning = taps_meaning(block, number)
    dims, guard = ("group", "outputs"), guard_of(block)
    return Intrinsic(name, filled(_C, fields), meaning, dims, guard=guard, gcc=True)


def _summed(block: Block, number: int) -> list[str]:
    last = 3 + 2 * block.words
    sums, spare = REGISTERS[3:last], REGISTERS[last : last + max(1, block.words - 1)]
    found = cleared(sums)
    for parity in (0, 1):
        held = list(spare[: block.words - 1])
        if parity < number:
            found += [f"ldr {r}, [r0, #{4 * (parity + 2 * p)}]" for p, r in enumerate(held)]
        for tap in range(parity, number, 2):
            found += _tap(sums, held or list(spare), tap, block.words)
            held = held[1:] + held[:1]
    return [*found, *parted(sums, "r2"), "ldr r0, %[sums]", f"stm r0, {listed(sums)}"]


def _tap(sums: tuple[str, ...], held: list[str], tap: int, pairs: int) -> Iterator[str]:
    """Yield the instructions of a tap: the first word held makes room for the last one."""
    loaded = f"ldr {held[0]}, [r0, #{4 * (tap + 2 * (pairs - 1))}]"
    yield f"ldrsb r2, [r1, #{tap}]"
    if pairs > 1:
        yield from multiplied(sums[:2], held[:1], "r2")
    yield loaded
    rest = sums[2:] if pairs > 1 else sums
    yield from multiplied(rest, [*held[1:], held[0]], "r2")


def _stored(r: int) -> str:
    return f"      result[{r} * outputs] = @NAME@_scaled(sums[{r}] + bias, multiplier, shift);\n"


_C = """
/* A block of rows; a function, so that registers are saved at once. */
static __attribute__((noinline)) void @NAME@_sums(const int32_t *words, const int8_t *weight,
    int32_t *sums) {
  register const int32_t *x __asm__("r0") = words;
  register const int8_t *w __asm__("r1") = weight;
  __asm__ volatile(@SUMS@
      : "+r"(x), "+r"(w)
      : [sums] "m"(sums)
      : @CLOBBERED@);
}

static inline int8_t @NAME@_scaled(int32_t sum, int32_t multiplier, int32_t shift) {
  return te_saturate_int8(te_multiply_high(te_shift_left(sum, shift), multiplier));
}

/* Rows behind the group take words of what is not there: they are not stored. */
static void @NAME@(const int32_t *words, const int8_t *weight, int32_t bias, int32_t multiplier,
    int32_t shift, int8_t *result, int32_t group, int32_t outputs) {
  int32_t sums[@ROWS@];
  for (int32_t first = 0; first < group; first += @ROWS@) {
    @NAME@_sums(words + first, weight, sums);
    if (group - first >= @ROWS@) {
@ALL@      result += @ROWS@ * outputs;
      continue;
    }
    for (int32_t r = 0; r < group - first; ++r, result += outputs) {
      *result = @NAME@_scaled(sums[r] + bias, multiplier, shift);
    }
  }
}
"""
