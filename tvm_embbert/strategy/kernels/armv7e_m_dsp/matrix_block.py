"""A block of one to four rows times a matrix whose sizes are known, two outputs at a time.

The layout of the matrix is that of :mod:`.matrix`. LDM loads several words of it, and the pairs of
all rows; a word is multiplied as it is first, then SXTB16 takes the lower bytes where it lies. The
sums begin with the biases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tvm_embbert.strategy.kernels.armv7e_m_dsp import GUARD
from tvm_embbert.strategy.kernels.armv7e_m_dsp.matrix import MatrixForm, matrix_meaning
from tvm_embbert.strategy.kernels.armv7e_m_dsp.registers import (
    Registers,
    clobbers,
    declarations,
    load,
    numbered,
    operands,
    text,
)
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.operator import Array

WORDS = {1: (1, 2, 4, 8), 2: (1, 2, 4), 3: (1, 2, 3), 4: (1,)}
"""Rows of a block: words of the matrix that may be loaded at once, as registers allow."""


@dataclass(frozen=True)
class BlockForm:
    """What the intrinsic is specialised for.

    Attributes
    ----------
    matrix : MatrixForm
        Type of the result, split weights, biases by row.
    rows, words : int
        Rows of a block, words of the matrix that are loaded at once: of :data:`WORDS`.
    unroll : int
        Pairs of inputs that a turn of the inner loop takes: it divides `pairs`.
    pairs, outputs, shift : int
        Of the call.
    """

    matrix: MatrixForm
    rows: int
    words: int
    unroll: int
    pairs: int
    outputs: int
    shift: int

    @property
    def name(self) -> str:
        """Return the name of the C function."""
        sizes = f"{2 * self.pairs}x{self.outputs}_{self.shift}"
        return f"{self.matrix.name}_{sizes}_{self.rows}x{self.words}_{self.unroll}"


def fits_with_bias(weight: Array, bias: Array, reach: Array) -> bool:
    """Return whether ``256 * sum1 + sum0`` fits 32 bits, biases included.

    `weight` int8 is (outputs, inputs), `bias` (outputs) or (indices, outputs), `reach` the greatest
    magnitude of each input.
    """
    sums = np.abs(weight.astype(np.int64)) @ reach
    total = sums + np.abs(bias.astype(np.int64)).reshape(-1, len(sums)).max(axis=0)
    return bool(weight.min(initial=0) > -128 and int(total.max(initial=0)) * 257 < 2**31)


def matrix_block(form: BlockForm) -> Intrinsic:
    """Return the intrinsic: ``result = requantized(wide @ weight.T + bias)`` for a block's rows.

    ``wide`` int16 is (pairs, rows of a block, 2). Its parameters are those of :func:`.matrix`.
    """
    dims = ("pairs", "outputs", "rows", *(("indices",) if form.matrix.indexed else ()))
    meaning = matrix_meaning(form.matrix, form.rows)
    return Intrinsic(form.name, _c(form), meaning, dims, guard=GUARD, gcc=True)


class _Turn:
    """The instructions of a turn of the inner loop, and the registers of their variables."""

    def __init__(self, form: BlockForm) -> None:
        rows, registers = form.rows, Registers()
        self._rows, self._split, self.lines = rows, form.matrix.split, list[str]()
        wanted = 2 * rows + 2
        # A second copy of the halves, where the word is needed after them.
        self._spare = registers.take("v") if rows == 4 or not self._split else ()
        number = min(form.words, registers.free - wanted - min(rows, 2))
        words = registers.take(*numbered("t", number))
        self._together = min(number, (registers.free - wanted) // rows)
        self._xs = registers.take(*numbered("a", self._together * rows or 2))
        self._lower = registers.take(*numbered("s", rows))
        self._upper = registers.take(*numbered("w", rows))
        self._x, weight = registers.take("x", "weight")
        self.registers = registers.variables
        for first in range(0, form.unroll, number):
            taken = words[: form.unroll - first]
            self.lines.append(load(weight, taken))
            self._multiply(taken)

    def _multiply(self, words: tuple[str, ...]) -> None:
        """Multiply words by the pairs of all rows, loading these for as many as fit."""
        for begin in range(0, len(words), self._together or 1):
            group = words[begin : begin + (self._together or 1)]
            if self._together:
                self.lines.append(load(self._x, self._xs[: len(group) * self._rows]))
            for place, word in enumerate(group):
                if self._spare:
                    self._halve(word, place)
                else:
                    xs = self._xs[place * self._rows :]
                    self._add(self._upper, xs, word)
                    self.lines.append(f"sxtb16 {word}, {word}")
                    self._add(self._lower, xs, word)

    def _halve(self, word: str, place: int) -> None:
        """Take the lower bytes of a word aside; two rows at a time where more do not fit."""
        spare = self._spare[0]
        self.lines.append(f"sxtb16 {spare}, {word}")
        if not self._split:
            self.lines.append(f"sxtb16 {word}, {word}, ror #8")
        step = self._rows if self._together else 2
        for first in range(0, self._rows, step):
            xs = (
                self._xs[place * self._rows :] if self._together else self._xs[: self._rows - first]
            )
            if not self._together:
                self.lines.append(load(self._x, xs[:2]))
            self._add(self._upper[first : first + step], xs, word)
            self._add(self._lower[first : first + step], xs, spare)

    def _add(self, sums: tuple[str, ...], xs: tuple[str, ...], word: str) -> None:
        self.lines += [f"smlad {s}, {x}, {word}, {s}" for s, x in zip(sums, xs, strict=False)]


def _c(form: BlockForm) -> str:
    turn, rows = _Turn(form), range(form.rows)
    sums = [*numbered("s", form.rows), *numbered("w", form.rows)]
    fields = {
        "SCALE": "".join(_scale(right) for right in _rights(form)),
        "PLACES": "\n".join(_place(form, r) for r in rows),
        "BEGIN": "\n".join(_begin(form, r, turn.registers) for r in rows),
        "WALK": f"    {', '.join(f'{p} += 2' for p in ('multiplier', *_walked(form)))};",
        "STORE": "\n".join(_store(form, r) for r in rows),
        "NAME": form.name,
        "BITS": form.matrix.dtype.removeprefix("int"),
        "TYPE": f"{form.matrix.dtype}_t",
        "INDEX": "const int32_t *index, " if form.matrix.indexed else "",
        "INDICES": ", int32_t indices" if form.matrix.indexed else "",
        "UNUSED": ", (void)indices" if form.matrix.indexed else "",
        "OUTPUTS": str(form.outputs),
        "ROWS": str(form.rows),
        "WIDE": str(2 * form.rows * form.pairs),
        "X": turn.registers["x"],
        "WEIGHT": turn.registers["weight"],
        "TURN": text(_looped(form, turn)),
        "OPERANDS": operands((*sums, "x", "at")),
        "CLOBBERS": clobbers(turn.registers, (*sums, "x", "weight")),
    }
    source = _C
    for name, value in fields.items():
        source = source.replace(f"@{name}@", value)
    return source


def _walked(form: BlockForm) -> list[str]:
    biases = numbered("b", form.rows) if form.matrix.indexed else ["bias"]
    return [*biases, *numbered("y", form.rows)]


def _rights(form: BlockForm) -> set[int]:
    """Return by how many bits results are shifted right: a split sum is 256 times too large."""
    return {0, 8 - form.shift} if form.matrix.split else {0}


def _scale(right: int) -> str:
    asr = f", asr #{right}" if right else ""
    return (
        _SCALE.replace("@RIGHT@ bits", f"{right} bits")
        .replace("@ASR@", asr)
        .replace("@RIGHT@", str(right or ""))
    )


def _looped(form: BlockForm, turn: _Turn) -> list[str]:
    if form.pairs == form.unroll:
        return turn.lines
    first, x = turn.registers["t0"], turn.registers["x"]
    return ["1:", *turn.lines, f"ldr {first}, %[end]", f"cmp {x}, {first}", "bne 1b"]


def _place(form: BlockForm, row: int) -> str:
    """Declare where a row's result and biases are; a row that is not there repeats the last."""
    last = f"te_min({row}, rows - 1)" if row else "0"
    to = f"  @TYPE@ *y{row} = result + {last} * @OUTPUTS@;"
    even = form.outputs + form.outputs % 2
    if not form.matrix.indexed:
        return to
    return f"{to}\n  const int32_t *b{row} = bias + index[{last}] * {even};"


def _begin(form: BlockForm, row: int, registers: dict[str, str]) -> str:
    """Declare a row's two sums."""
    bias = f"b{row}" if form.matrix.indexed else "bias"
    lower = f"{bias}[0]"
    upper = f"{bias}[1]"
    if form.matrix.split:
        upper = f"{lower} + {upper} * 256"
    return declarations(registers, {f"s{row}": lower, f"w{row}": upper})


def _store(form: BlockForm, row: int) -> str:
    upper = f"w{row} - s{row}" if form.matrix.split else f"w{row}"
    left = 8 - form.shift if form.matrix.split else 0
    shift = 0 if form.matrix.split else form.shift
    both = "if (o + 1 < @OUTPUTS@) " if form.outputs % 2 else ""
    return (
        f"    y{row}[0] = {_scaled(form, f's{row}', 0, form.shift, 0)};\n"
        f"    {both}y{row}[1] = {_scaled(form, upper, 1, shift, left)};"
    )


def _scaled(form: BlockForm, total: str, place: int, left: int, right: int) -> str:
    shifted = f"te_shift_left({total}, {left})" if left else total
    return f"@NAME@_scale{right or ''}({shifted}, m{place})"


_C = """
@SCALE@
/* @ROWS@ rows times the matrix; rows that are not there repeat the last one, also in the result. */
static void @NAME@(const int16_t *wide, @INDEX@const int8_t *weight,
    const int32_t *bias, const int32_t *multiplier, int32_t shift, @TYPE@ *result,
    int32_t pairs, int32_t outputs, int32_t rows@INDICES@) {
  (void)pairs, (void)outputs, (void)shift, (void)rows@UNUSED@;
@PLACES@
  const int16_t *const end = wide + @WIDE@;
  for (int32_t o = 0; o < @OUTPUTS@; o += 2) {
@BEGIN@
    register const int16_t *x __asm__("@X@") = wide;
    register const int8_t *at __asm__("@WEIGHT@") = weight;
    __asm__ volatile(
@TURN@
        : @OPERANDS@
        : [end] "m"(end)
        : @CLOBBERS@);
    weight = at;
    const int32_t m0 = multiplier[0], m1 = multiplier[1];
@STORE@
@WALK@
  }
}
"""

_SCALE = """\
/* The upper half of a product, @RIGHT@ bits less, within @BITS@ bits. */
static inline @TYPE@ @NAME@_scale@RIGHT@(int32_t total, int32_t multiplier) {
  int32_t scaled;
  __asm__("smmul %0, %1, %2\\n\\tssat %0, #@BITS@, %0@ASR@"
          : "=&r"(scaled)
          : "r"(total), "r"(multiplier));
  return (@TYPE@)scaled;
}
"""
