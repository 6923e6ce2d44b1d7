"""Attention scores by bursts: a block of queries, two in a word, against a key where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import widened
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.scalar.burst import (
    REGISTERS,
    clobbered,
    lines,
    listed,
    looped_steps,
    places,
    summed,
)
from tvm_embbert.strategy.kernels.scalar.form import Block, filled
from tvm_embbert.strategy.kernels.scalar.scores import LOWEST, ScoresForm
from tvm_embbert.strategy.kernels.scalar.sums import guard_of
from tvm_embbert.strategy.kernels.scalar.words import row_of
from tvm_embbert.strategy.kernels.tir import prim_func

CHAIN = 4
"""Instructions that an IT makes conditional."""


def burst_scores(form: ScoresForm) -> Intrinsic:
    """Return the intrinsic: ``scores`` int32 (keys, rows), and each row's largest in ``tops``.

    Scores of hidden keys are left as they are.
    """
    return Intrinsic(
        form.name, _c(form), _meaning(form), ("keys",), guard=guard_of(form.block), gcc=True
    )


def _meaning(form: ScoresForm) -> Any:
    block = form.block
    with prim_func("scores") as tir:
        keys = tir.dim("keys")
        words = tir.tensor("words", (form.width, block.words), "int32")
        k = tir.tensor("k", (keys, form.width), "int8")
        hidden = tir.tensor("hidden", (keys,), "bool") if form.masked else None
        found = tir.tensor("scores", (keys, block.rows), "int32")
        tops = tir.tensor("tops", (block.rows,), "int32")
        total = tir.local("total", "int32")
        for r in range(block.rows):
            tir.store(tops, r, T.int32(LOWEST))
            with tir.loop("j", keys) as j:
                tir.store(total, 0, 0)
                with tir.loop("c", form.width) as c:
                    value = row_of(words, c, r, block)
                    tir.accumulate(total, 0, value * widened(k[j, c]))
                seen = T.bool(True) if hidden is None else T.Not(hidden[j])
                with tir.when(seen):
                    tir.store(found, (j, r), total[0])
                    tir.store(tops, r, T.max(tops[r], total[0]))
    return tir.prim_func


def _c(form: ScoresForm) -> str:
    looped = looped_steps(form.block, form.width) * form.block.words
    fields = {
        "MASK": "const uint8_t *hidden, " if form.masked else "",
        "RUNS": _SEEN if form.masked else _WHOLE,
        "KEYS": lines(_keys(form.block, form.width)),
        "CLOBBERED": clobbered(("r0", "r1")),
        "DECLARED": f"  const int32_t *const turns = words + {looped};\n" if looped else "",
        "END": '[turns] "m"(turns), ' if looped else "",
        "WIDTH": form.width,
        "ROWS": form.block.rows,
        "NAME": form.name,
    }
    return filled(_C, fields)


def _keys(block: Block, width: int) -> list[str]:
    """Return the instructions for keys side by side, of which there is one at least."""
    following = ["ldr r1, %[k]", f"add r1, r1, #{width}", "str r1, %[k]"]
    again = ["ldr r0, %[end]", "cmp r0, r1", "beq 4f", "ldr r0, %[words]", "b 3b", "4:"]
    return ["3:", *summed(block, width), *_kept(*places(block)), *following, *again]


def _kept(scores: Sequence[str], spare: Sequence[str]) -> list[str]:
    """Return the instructions that store scores, and, where one is larger than its top, tops.

    Few are, so that they are compared before they are told apart.
    """
    tops = tuple(r for r in REGISTERS if r == "r2" or r in spare)[: len(scores)]
    found = [
        "ldr r0, %[scores]",
        "ldr r1, %[tops]",
        f"stm r0!, {listed(scores)}",
        "str r0, %[scores]",
    ]
    found += [f"ldm r1, {listed(tops)}", f"cmp {scores[0]}, {tops[0]}"]
    pairs = list(zip(scores, tops, strict=True))
    for first in range(1, len(pairs), CHAIN):
        some = pairs[first : first + CHAIN]
        found += [f"it{'t' * (len(some) - 1)} le", *(f"cmple {s}, {t}" for s, t in some)]
    found.append("ble 2f")
    for score, top in pairs:
        found += [f"cmp {score}, {top}", "it gt", f"movgt {top}, {score}"]
    return [*found, f"stm r1, {listed(tops)}", "2:"]


_C = """
/* A block of queries times some keys; a function, so that registers are saved at once. */
static __attribute__((noinline)) void @NAME@_keys(const int32_t *words, const int8_t *k,
    int32_t *scores, int32_t *tops, const int8_t *end) {
@DECLARED@  register const int32_t *x __asm__("r0") = words;
  register const int8_t *w __asm__("r1") = k;
  __asm__ volatile(@KEYS@
      : "+r"(x), "+r"(w), [k] "+m"(k), [scores] "+m"(scores)
      : @END@[tops] "m"(tops), [words] "m"(words), [end] "m"(end)
      : @CLOBBERED@);
}

/* A block of queries times the keys, whose scores lie side by side. */
static void @NAME@(const int32_t *words, const int8_t *k, @MASK@int32_t *scores,
    int32_t *tops, int32_t keys) {
  for (int32_t r = 0; r < @ROWS@; ++r) {
    tops[r] = INT32_MIN;
  }
@RUNS@}
"""

_WHOLE = """\
  if (keys > 0) {
    @NAME@_keys(words, k, scores, tops, k + keys * @WIDTH@);
  }
"""

_SEEN = """\
  for (int32_t first = 0; first < keys;) {
    int32_t j = first;
    while (j < keys && !hidden[j]) {
      ++j;
    }
    if (j > first) {
      @NAME@_keys(words, k + first * @WIDTH@, scores + first * @ROWS@, tops, k + j * @WIDTH@);
    }
    first = j + 1;
  }
"""
