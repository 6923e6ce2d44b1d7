"""Attention weights from scores: a table's entries, those of two rows in a word."""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import call as arithmetic
from tvm_embbert.strategy.kernels.arithmetic import multiply_high, widened
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.scalar.form import Block, filled
from tvm_embbert.strategy.kernels.tir import Expr, prim_func


def weights(block: Block, masked: bool, shifted: bool) -> Intrinsic:
    """Return the intrinsic: ``words`` int32 (keys, words) of weights, and each row's sum of them.

    The words may take the memory of the scores, int32 (keys, rows). Where scores are shifted, their
    distance is limited first. A hidden key has no weight.
    """
    name = f"te_scalar_weights_{block.rows}x{block.bits}"
    name += ("_masked" if masked else "") + ("_shifted" if shifted else "")
    fields = {
        "MASK": "const uint8_t *hidden, " if masked else "",
        "HIDDEN": _hidden(block) if masked else "",
        "WORDS": _words(block),
        "ROWS": block.rows,
        "PAIRS": block.words,
        "TOPS": ", ".join(f"top{r} = tops[{r}] + offset" for r in range(block.rows)),
        "TOTALS": ", ".join(f"total{r} = 0" for r in range(block.rows)),
        "STORED": "".join(f"  totals[{r}] = total{r};\n" for r in range(block.rows)),
        "DISTANCE": "te_shift_left(te_min(distance, reach), shift)" if shifted else "distance",
        "UNUSED": "" if shifted else "\n  (void)reach, (void)shift;",
        "NAME": name,
    }
    return Intrinsic(name, filled(_C, fields), _meaning(block, masked, shifted), ("keys",))


def _hidden(block: Block) -> str:
    cleared = " ".join(f"words[{p}] = 0;" for p in range(block.words))
    following = f"scores += {block.rows}, words += {block.words};"
    return f"    if (hidden[j]) {{\n      {cleared}\n      {following}\n      continue;\n    }}\n"


def _words(block: Block) -> str:
    """Return statements that read the scores of rows before their words take the place."""
    lines: list[str] = []
    done = 0
    for n, word in enumerate(block.layout):
        upto = max(word.low, word.high) + 1
        lines += [weighed(r) for r in range(done, upto)]
        done = max(done, upto)
        lines.append(f"    words[{n}] = w{word.low} + w{word.high} * (1 << {word.bits});\n")
    return "".join(lines)


def weighed(r: int) -> str:
    """Return statements that turn a row's score into its weight, and add that up."""
    weight = f"@NAME@_of(top{r} - scores[{r}], table, reach, multiplier, shift)"
    return f"    const int32_t w{r} = {weight};\n    total{r} += w{r};\n"


def _meaning(block: Block, masked: bool, shifted: bool) -> Any:
    with prim_func("weights") as tir:
        keys = tir.dim("keys")
        scores = tir.tensor("scores", (keys, block.rows), "int32")
        hidden = tir.tensor("hidden", (keys,), "bool") if masked else None
        tops = tir.tensor("tops", (block.rows,), "int32")
        table = tir.tensor("table", (256,), "int8")
        limit, multiplier, shift = (tir.scalar(n) for n in ("limit", "multiplier", "shift"))
        words = tir.tensor("words", (keys, block.words), "int32")
        totals = tir.tensor("totals", (block.rows,), "int32")
        weight = tir.local("weight", "int32", block.rows)
        for r in range(block.rows):
            tir.store(totals, r, 0)
        with tir.loop("j", keys) as j:
            for r in range(block.rows):
                index = table_index(tops[r] - scores[j, r], shifted, (limit, multiplier, shift))
                found = widened(table[index])
                if hidden is not None:
                    found = T.if_then_else(hidden[j], 0, found)
                tir.store(weight, r, found)
                tir.accumulate(totals, r, weight[r])
            for n, word in enumerate(block.layout):
                packed = weight[word.low] + weight[word.high] * (1 << word.bits)
                tir.store(words, (j, n), packed)
    return tir.prim_func


def table_index(distance: Expr, shifted: bool, scaling: tuple[Expr, Expr, Expr]) -> Expr:
    """Return which entry of the table a distance takes, by limit, multiplier and shift."""
    limit, multiplier, shift = scaling
    # The limit is so far that it changes nothing but for what a shift would make too large.
    steps = T.min(distance, limit) + arithmetic("int32", "rounding_offset", multiplier, shift)
    scaled = arithmetic("int32", "shift_left", steps, shift) if shifted else steps
    return T.min(multiply_high(scaled, multiplier), 255)


_C = """
static inline int32_t @NAME@_of(int32_t distance, const int8_t *table, int32_t reach,
    int32_t multiplier, int32_t shift) {@UNUSED@
  return table[te_min(te_multiply_high(@DISTANCE@, multiplier), 255)];
}

/* The words of a key take the place of scores that have been read. */
static void @NAME@(const int32_t *scores, @MASK@const int32_t *tops,
    const int8_t *table, int32_t limit, int32_t multiplier, int32_t shift, int32_t *words,
    int32_t *totals, int32_t keys) {
  const int32_t offset = te_rounding_offset(multiplier, shift), reach = limit + offset;
  const int32_t @TOPS@;
  int32_t @TOTALS@;
  for (int32_t j = 0; j < keys; ++j) {
@HIDDEN@@WORDS@    scores += @ROWS@, words += @PAIRS@;
  }
@STORED@}
"""
