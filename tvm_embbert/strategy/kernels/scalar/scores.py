"""Attention scores: a block of queries, two in a word, against some keys where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import widened
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.scalar.form import Block, filled
from tvm_embbert.strategy.kernels.scalar.sums import Walk, fills, guard_of, sums_and_rest
from tvm_embbert.strategy.kernels.scalar.words import row_of
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func

LOWEST = -(2**31)
"""The largest score of a row whose keys are all hidden."""


@dataclass(frozen=True)
class ScoresForm:
    """What the intrinsic is specialised for."""

    block: Block
    width: int
    masked: bool

    @property
    def name(self) -> str:
        """Return the name of the C function."""
        suffix = "_masked" if self.masked else ""
        return f"te_scalar_scores_{self.width}_{self.block.name}{suffix}"


def scores(form: ScoresForm) -> Intrinsic:
    """Return the intrinsic: ``scores`` int32 (keys, rows), and each row's largest in ``tops``."""
    return Intrinsic(
        form.name,
        _c(form),
        _meaning(form),
        ("keys",),
        guard=guard_of(form.block),
        gcc=fills(form.block),
    )


def _meaning(form: ScoresForm) -> Any:
    with prim_func("scores") as tir:
        keys = tir.dim("keys")
        words = tir.tensor("words", (form.width, form.block.words), "int32")
        k = tir.tensor("k", (keys, form.width), "int8")
        hidden = tir.tensor("hidden", (keys,), "bool") if form.masked else None
        found = tir.tensor("scores", (keys, form.block.rows), "int32")
        tops = tir.tensor("tops", (form.block.rows,), "int32")
        for r in range(form.block.rows):
            tir.store(tops, r, T.int32(LOWEST))
            with tir.loop("j", keys) as j:
                _score(tir, form, (words, k, found), (j, r))
                largest = T.max(tops[r], found[j, r])
                seen = largest if hidden is None else T.if_then_else(hidden[j], tops[r], largest)
                tir.store(tops, r, seen)
    return tir.prim_func


def _score(
    tir: Tir, form: ScoresForm, buffers: tuple[Buffer, Buffer, Buffer], place: tuple[Expr, int]
) -> None:
    words, k, found = buffers
    j, r = place
    tir.store(found, (j, r), 0)
    with tir.loop("c", form.width) as c:
        value = row_of(words, c, r, form.block)
        tir.store(found, (j, r), found[j, r] + value * widened(k[j, c]))


def _c(form: ScoresForm) -> str:
    block = form.block
    walk = Walk(step=1, output=form.width, word=block.words)
    fields = {
        "MASK": "const uint8_t *hidden, " if form.masked else "",
        "SEEN": "".join(_seen(c, form.masked) for c in range(block.outputs)),
        "SEEN_ONE": "if (!hidden[j]) " if form.masked else "",
        "WIDTH": form.width,
        "ROWS": block.rows,
        "KEYS": block.outputs,
        "LARGEST": "".join(_largest(r) for r in range(block.rows)),
        "NAME": form.name,
    }
    return sums_and_rest(f"{form.name}_sums", block, walk) + filled(_C, fields)


def _seen(c: int, masked: bool) -> str:
    seen = f"if (!hidden[j + {c}]) " if masked else ""
    return f"    {seen}@NAME@_largest(tops, scores + {c} * @ROWS@);\n"


def _largest(r: int) -> str:
    return f"  tops[{r}] = te_max(tops[{r}], scores[{r}]);\n"


_C = """
static inline void @NAME@_largest(int32_t *tops, const int32_t *scores) {
@LARGEST@}

/* A block of queries times the keys, whose scores lie side by side. */
static void @NAME@(const int32_t *words, const int8_t *k, @MASK@int32_t *scores,
    int32_t *tops, int32_t keys) {
  int32_t j = 0;
  for (int32_t r = 0; r < @ROWS@; ++r) {
    tops[r] = INT32_MIN;
  }
  for (; j + @KEYS@ <= keys; j += @KEYS@) {
    @NAME@_sums(words, k, @WIDTH@, scores);
@SEEN@    k += @KEYS@ * @WIDTH@;
    scores += @KEYS@ * @ROWS@;
  }
  for (; j < keys; ++j) {
    @NAME@_sums_one(words, k, @WIDTH@, scores);
    @SEEN_ONE@@NAME@_largest(tops, scores);
    k += @WIDTH@;
    scores += @ROWS@;
  }
}
"""
