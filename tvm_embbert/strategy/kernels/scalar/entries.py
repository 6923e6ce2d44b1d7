"""Attention weights as entries: the words of the keys that count, each with its key's place."""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import widened
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.scalar.form import BURST, Block, Word, filled
from tvm_embbert.strategy.kernels.scalar.weights import table_index, weighed
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func

PLACED = {1: 4, 2: 2, 3: 1}
"""Entries of a burst, by words of a key."""


def at_once(block: Block) -> int:
    """Return the entries of a load: their number is a multiple."""
    return PLACED[block.words] if block.multiply == BURST else 1


def entry_words(block: Block) -> int:
    """Return the words of a key that counts: the weights, and where its values begin."""
    return block.words + 1


def weight_entries(block: Block, width: int, masked: bool, shifted: bool) -> Intrinsic:
    """Return the intrinsic: ``entries`` int32 (entries, words + 1), and each row's sum of weights.

    An entry is a key's words of weights, and the byte where its values begin, of rows of `width`.
    Keys whose weights are all 0, as are those of hidden keys, have none; entries of zeros fill them
    up to whole loads, at least one. ``totals`` int32 (2, rows) are the sums, then in the first
    place the number of entries. The entries may take the memory of the scores, int32 (keys, rows),
    keys counted to a multiple of 4.
    """
    name = f"te_scalar_entries_{width}_{block.rows}x{block.bits}"
    name += ("_masked" if masked else "") + ("_shifted" if shifted else "")
    rows = range(block.rows)
    fields = {
        "MASK": "const uint8_t *hidden, " if masked else "",
        "HIDDEN": "    if (hidden[j]) {\n      continue;\n    }\n" if masked else "",
        "WEIGHED": "".join(map(weighed, rows)),
        "ANY": " | ".join(f"w{r}" for r in rows),
        "WORDS": "".join(_word(n, word) for n, word in enumerate(block.layout)),
        "ZEROS": "".join(f"    entries[{p}] = 0;\n" for p in range(block.words + 1)),
        "TOPS": ", ".join(f"top{r} = tops[{r}] + offset" for r in rows),
        "TOTALS": ", ".join(f"total{r} = 0" for r in rows),
        "STORED": "".join(f"  totals[{r}] = total{r};\n" for r in rows),
        "DISTANCE": "te_shift_left(te_min(distance, reach), shift)" if shifted else "distance",
        "UNUSED": "" if shifted else "\n  (void)reach, (void)shift;",
        "ROWS": block.rows,
        "PAIRS": block.words,
        "ENTRY": entry_words(block),
        "PLACED": at_once(block),
        "WIDTH": width,
        "NAME": name,
    }
    meaning = _meaning(block, width, masked, shifted)
    return Intrinsic(name, filled(_C, fields), meaning, ("keys",))


def _word(n: int, word: Word) -> str:
    return f"      entries[{n}] = w{word.low} + w{word.high} * (1 << {word.bits});\n"


def _meaning(block: Block, width: int, masked: bool, shifted: bool) -> Any:
    whole = at_once(block)
    with prim_func("entries") as tir:
        keys = tir.dim("keys")
        scores = tir.tensor("scores", (keys, block.rows), "int32")
        hidden = tir.tensor("hidden", (keys,), "bool") if masked else None
        tops = tir.tensor("tops", (block.rows,), "int32")
        table = tir.tensor("table", (256,), "int8")
        scaling = (tir.scalar("limit"), tir.scalar("multiplier"), tir.scalar("shift"))
        most = T.truncdiv(keys + 3, 4) * 4
        entries = tir.tensor("entries", (most, entry_words(block)), "int32")
        totals = tir.tensor("totals", (2, block.rows), "int32")
        weight, count = tir.local("weight", "int32", block.rows), tir.local("count", "int32")
        tir.store(count, 0, 0)
        for r in range(block.rows):
            tir.store(totals, (0, r), 0)
        with tir.loop("j", keys) as j:
            for r in range(block.rows):
                place = table_index(tops[r] - scores[j, r], shifted, scaling)
                found = widened(table[place])
                seen = found if hidden is None else T.if_then_else(hidden[j], 0, found)
                tir.store(weight, r, seen)
                tir.accumulate(totals, (0, r), weight[r])
            _enter(tir, block, (entries, weight, count), j * width)
        for _ in range(whole):
            with tir.when(T.Or(T.truncmod(count[0], whole) != 0, count[0] == 0)):
                for p in range(entry_words(block)):
                    tir.store(entries, (count[0], p), 0)
                tir.accumulate(count, 0, 1)
        tir.store(totals, (1, 0), count[0])
    return tir.prim_func


def _enter(tir: Tir, block: Block, buffers: tuple[Buffer, Buffer, Buffer], place: Expr) -> None:
    """Add an entry where a weight is not 0."""
    entries, weight, count = buffers
    largest = weight[0]
    for r in range(1, block.rows):
        largest = T.max(largest, weight[r])
    with tir.when(largest != 0):
        for n, word in enumerate(block.layout):
            packed = weight[word.low] + weight[word.high] * (1 << word.bits)
            tir.store(entries, (count[0], n), packed)
        tir.store(entries, (count[0], block.words), place)
        tir.accumulate(count, 0, 1)


_C = """
static inline int32_t @NAME@_of(int32_t distance, const int8_t *table, int32_t reach,
    int32_t multiplier, int32_t shift) {@UNUSED@
  /* Not negative: the lower limit makes this one instruction. */
  return table[te_max(te_min(te_multiply_high(@DISTANCE@, multiplier), 255), 0)];
}

/* Entries take the place of scores that have been read. */
static void @NAME@(const int32_t *scores, @MASK@const int32_t *tops, const int8_t *table,
    int32_t limit, int32_t multiplier, int32_t shift, int32_t *entries, int32_t *totals,
    int32_t keys) {
  const int32_t offset = te_rounding_offset(multiplier, shift), reach = limit + offset;
  const int32_t *const first = entries;
  const int32_t @TOPS@;
  int32_t @TOTALS@;
  for (int32_t j = 0; j < keys; ++j, scores += @ROWS@) {
@HIDDEN@@WEIGHED@    if ((@ANY@) != 0) {
@WORDS@      entries[@PAIRS@] = j * @WIDTH@;
      entries += @ENTRY@;
    }
  }
  while (entries == first || (entries - first) % (@PLACED@ * @ENTRY@) != 0) {
@ZEROS@    entries += @ENTRY@;
  }
@STORED@  totals[@ROWS@] = (int32_t)(entries - first) / @ENTRY@;
}
"""
