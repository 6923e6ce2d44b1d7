"""Attention scores of one key at a time: a block of widened queries against the key where it lies.

LDM loads the pairs of as many queries as registers are left for, past the ends of pairs. Scores
stay whole: 32 bits each, as two int16.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import widened
from tvm_embbert.strategy.kernels.armv7e_m_dsp import GUARD
from tvm_embbert.strategy.kernels.armv7e_m_dsp.registers import (
    Registers,
    clobbers,
    load,
    numbered,
    text,
)
from tvm_embbert.strategy.kernels.armv7e_m_dsp.scores import HIDDEN, unsigned
from tvm_embbert.strategy.kernels.armv7e_m_dsp.widen import GROUP, widened_order
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.tir import Expr, Tir, prim_func

WORDS = {1: (1, 2, 4), 2: (1, 2, 4), 3: (1, 2), 4: (1, 2), 5: (1, 2), 6: (1,), 7: (1,), 8: (1,)}
"""Rows of a block: words of a key that may be loaded at once, as registers allow."""


@dataclass(frozen=True)
class BlockScoresForm:
    """What the intrinsic is specialised for.

    Attributes
    ----------
    width : int
        Channels: a multiple of 4.
    masked : bool
        Whether keys may be hidden.
    rows, words : int
        Queries of a block, words of a key that are loaded at once: of :data:`WORDS`.
    groups : int
        Words of a key that a turn of the inner loop takes: it divides those that there are.
    """

    width: int
    masked: bool
    rows: int
    words: int
    groups: int

    @property
    def name(self) -> str:
        """Return the name of the C function."""
        sizes = f"{self.width}_{self.rows}x{self.words}_{self.groups}"
        return f"te_dsp_scores_{sizes}{'_masked' if self.masked else ''}"


def block_scores(form: BlockScoresForm) -> Intrinsic:
    """Return the intrinsic: ``scores`` int16 (keys, rows, 2), the lower and upper half of each."""
    return Intrinsic(form.name, _c(form), _meaning(form), ("keys",), guard=GUARD, gcc=True)


def whole_score(scores: Any, j: Expr, r: int) -> Expr:
    """Return row r's score of key j, int32."""
    return widened(scores[j, r, 1]) * 65536 + unsigned(scores[j, r, 0])


def _meaning(form: BlockScoresForm) -> Any:
    with prim_func("scores") as tir:
        keys = tir.dim("keys")
        wide = tir.tensor("wide", (form.width // GROUP, 2, form.rows, 2), "int16")
        k = tir.tensor("k", (keys, form.width), "int8")
        hidden = tir.tensor("hidden", (keys,), "bool") if form.masked else None
        scores = tir.tensor("scores", (keys, form.rows, 2), "int16")
        total = tir.local("total", "int32")
        with tir.loop("j", keys) as j, tir.loop("r", form.rows) as r:
            tir.store(total, 0, 0)
            with tir.loop("g", form.width // GROUP) as g:
                for place, element in enumerate(widened_order("int8")):
                    query = widened(wide[g, place // 2, r, place % 2])
                    tir.accumulate(total, 0, query * widened(k[j, g * GROUP + element]))
            if hidden is not None:
                tir.store(total, 0, T.if_then_else(hidden[j], T.int32(HIDDEN), total[0]))
            _store(tir, scores, (j, r), total[0])
    return tir.prim_func


def _store(tir: Tir, scores: Any, place: tuple[Expr, Expr], score: Expr) -> None:
    tir.store(scores, (*place, 0), T.Cast("int16", score))
    upper = T.truncdiv(score - unsigned(scores[(*place, 0)]), 65536)
    tir.store(scores, (*place, 1), T.Cast("int16", upper))


class _Turn:
    """The instructions of a turn of the inner loop, and the registers of their variables."""

    def __init__(self, form: BlockScoresForm) -> None:
        registers = Registers()
        self.words = registers.take(*numbered("t", form.words))
        self._even = registers.take("v")[0]
        self._queries = registers.take(*numbered("a", registers.free - form.rows - 2))
        self.sums = registers.take(*numbered("s", form.rows))
        self.x, self._key = registers.take("x", "at")
        self.registers = registers.variables
        self._left = 2 * form.rows * form.groups
        self._loaded: list[str] = []
        # Where there is one turn alone, the first products begin the sums.
        self._begun = form.groups < form.width // GROUP
        self.lines = list(self._multiply(form.groups))

    def _multiply(self, groups: int) -> Iterator[str]:
        for first in range(0, groups, len(self.words)):
            words = self.words[: groups - first]
            yield load(self._key, words)
            for word in words:
                yield f"sxtb16 {self._even}, {word}"
                yield from self._add(self._even)
                yield f"sxtb16 {word}, {word}, ror #8"
                yield from self._add(word)

    def _add(self, pair: str) -> Iterator[str]:
        """Add a pair of the key times the pairs of all queries."""
        for s in self.sums:
            if not self._loaded:
                self._loaded = list(self._queries[: self._left])
                self._left -= len(self._loaded)
                yield load(self.x, self._loaded)
            x = self._loaded.pop(0)
            yield f"smlad {s}, {x}, {pair}, {s}" if self._begun else f"smuad {s}, {x}, {pair}"
        self._begun = True


def _c(form: BlockScoresForm) -> str:
    turn = _Turn(form)
    fields = {
        "HIDE": _HIDE.replace("@HIDDEN@", str(HIDDEN)) if form.masked else "",
        "MASK": "const uint8_t *hidden, " if form.masked else "",
        "NAME": form.name,
        "WIDTH": str(form.width),
        "ROWS": str(form.rows),
        "WIDE": str(form.width * form.rows),
        "LINES": text(_key(form, turn)),
        "CLOBBERS": clobbers(turn.registers, ()),
    }
    source = _C
    for name, value in fields.items():
        source = source.replace(f"@{name}@", value)
    return source


def _key(form: BlockScoresForm, turn: _Turn) -> list[str]:
    """Return the loop over keys: each begins where the one before ends."""
    x, at, first = turn.registers["x"], turn.registers["at"], turn.words[0]
    lines = turn.lines
    if form.groups < form.width // GROUP:
        zeros = [f"mov {s}, #0" for s in turn.sums]
        lines = [*zeros, "1:", *lines, f"ldr {first}, %[end]", f"cmp {x}, {first}", "bne 1b"]
    stored = [f"ldr {first}, %[to]", f"stm {first}!, {{{', '.join(turn.sums)}}}"]
    kept = [*stored, f"str {first}, %[to]"]
    check = [f"ldr {first}, %[last]", f"cmp {at}, {first}", "bne 2b"]
    return [f"ldr {at}, %[from]", "2:", f"ldr {x}, %[wide]", *lines, *kept, *check]


_HIDE = """
  for (int32_t j = 0; j < keys; j += 4) {
    uint32_t four = 1;
    if (keys - j >= 4) {
      __builtin_memcpy(&four, hidden + j, 4);
    }
    for (int32_t i = j; four != 0u && i < te_min(j + 4, keys); ++i) {
      for (int32_t r = 0; hidden[i] && r < @ROWS@; ++r) {
        ((int32_t *)scores)[@ROWS@ * i + r] = @HIDDEN@;
      }
    }
  }"""

_C = """
/* Scores of @ROWS@ queries, those of a key side by side. */
static void @NAME@(const int16_t *wide, const int8_t *k, @MASK@int16_t *scores, int32_t keys) {
  const int16_t *const end = wide + @WIDE@;
  const int8_t *const last = k + @WIDTH@ * keys;
  int32_t *to = (int32_t *)scores;
  if (keys <= 0) {
    return;
  }
  __asm__ volatile(
@LINES@
      : [to] "+m"(to)
      : [wide] "m"(wide), [end] "m"(end), [from] "m"(k), [last] "m"(last)
      : @CLOBBERS@);@HIDE@
}
"""
