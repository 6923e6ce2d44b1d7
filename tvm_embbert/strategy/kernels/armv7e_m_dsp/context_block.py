"""Attention contexts of a block of rows: weights times the values where they lie.

Up to four rows take two channels at once, as :mod:`.context` does; more rows take one, whose values
of two keys PKHBT puts together. LDM loads weights of as many rows as registers are left for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tvm_embbert.strategy.kernels.armv7e_m_dsp import GUARD
from tvm_embbert.strategy.kernels.armv7e_m_dsp.context import context_meaning
from tvm_embbert.strategy.kernels.armv7e_m_dsp.registers import (
    Registers,
    clobbers,
    load,
    numbered,
    text,
)
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic

_STEP = 255
"""The greatest width that a load can add to its address."""
_CROWDED = 7
"""Rows from which on two values and four weights do not fit beside the sums."""


@dataclass(frozen=True)
class BlockContextForm:
    """What the intrinsic is specialised for: channels, rows of a block, pairs of keys a turn."""

    width: int
    rows: int
    pairs: int

    @property
    def name(self) -> str:
        """Return the name of the C function."""
        return f"te_dsp_context_{self.width}_{self.rows}_{self.pairs}"

    @property
    def channels(self) -> int:
        """Return the channels that are taken at once."""
        return 2 if self.rows <= 4 else 1


def block_context(form: BlockContextForm) -> Intrinsic:
    """Return the intrinsic: the mean of values (keys, width) for the rows of a block of weights."""
    meaning = context_meaning(form.width, form.rows)
    return Intrinsic(form.name, _c(form), meaning, ("keys", "rows"), guard=GUARD, gcc=True)


class _Turn:
    """The instructions for some pairs of keys, and the registers of their variables."""

    def __init__(self, form: BlockContextForm) -> None:
        registers = Registers()
        self._form, rows = form, form.rows
        self.sums = [registers.take(*numbered(n, rows)) for n in "sz"[: form.channels]]
        # Where each pair begins with a load, its second value may lie where that load goes.
        self._apart = form.channels == 2 or rows < _CROWDED
        self._values = registers.take("t", "u") if self._apart else registers.take("t")
        self._weights = registers.take(*numbered("a", min(registers.free - 2, rows)))
        self._weight, self._value = registers.take("w", "v")
        self.registers = registers.variables

    def lines(self, pairs: int) -> Iterator[str]:
        """Yield the instructions for pairs of keys."""
        left, loaded = pairs * self._form.rows, list[str]()
        for _ in range(pairs):
            yield from self._load()
            for row in range(self._form.rows):
                if not loaded:
                    most = left if self._apart else self._form.rows - row
                    loaded = list(self._weights[:most])
                    left -= len(loaded)
                    yield load(self._weight, loaded)
                weight = loaded.pop(0)
                for sums, value in zip(self.sums, self._values, strict=False):
                    yield f"smlad {sums[row]}, {weight}, {value}, {sums[row]}"

    def _load(self) -> Iterator[str]:
        """Yield the loads of two keys' values, and what makes pairs of them."""
        t, u, v = self._values[0], (*self._values, self._weights[0])[1], self._value
        kind = "ldrh" if self._form.channels == 2 else "ldrsb"
        width = self._form.width
        if width <= _STEP:
            yield f"{kind} {t}, [{v}], #{width}"
            yield f"{kind} {u}, [{v}], #{width}"
        else:
            yield f"{kind} {t}, [{v}]"
            yield f"{kind} {u}, [{v}, #{width}]"
            yield f"add {v}, {v}, #{2 * width}"
        yield f"pkhbt {t}, {t}, {u}, lsl #16"
        if self._form.channels == 2:
            yield f"sxtb16 {u}, {t}, ror #8"
            yield f"sxtb16 {t}, {t}"


def _c(form: BlockContextForm) -> str:
    turn = _Turn(form)
    end = turn.registers["a0"]
    w = turn.registers["w"]
    begins = [load(w, sums).replace("!", "").replace("], #4", "]") for sums in turn.sums]
    starts = [f"ldr {w}, %[offsets]", *begins, f"ldr {w}, %[weights]", "ldr @V@, %[first]"]

    def loop(head: str, tail: str, pairs: int, limit: str) -> list[str]:
        body = list(turn.lines(pairs))
        check = [f"ldr {end}, %[{limit}]", f"cmp {w}, {end}", f"bne {head}b"]
        return [f"b {tail}f", f"{head}:", *body, f"{tail}:", *check]

    ends = [f"ldr {end}, %[sums]", f"stm {end}, {{{', '.join(sum(turn.sums, ()))}}}"]
    lines = [*starts, *loop("1", "2", form.pairs, "many"), *loop("3", "4", 1, "end"), *ends]
    rows = range(form.rows)
    fields = {
        "NAME": form.name,
        "WIDTH": str(form.width),
        "ROWS": str(form.rows),
        "STEP": str(2 * form.rows),
        "TURN": str(form.pairs),
        "CHANNELS": str(form.channels),
        "PLACES": "\n".join(_place(form, r) for r in rows),
        "COUNT": str(form.channels * form.rows),
        "LINES": text(lines),
        "V": turn.registers["v"],
        "CLOBBERS": clobbers(turn.registers, ()),
        "LAST": "\n".join(_last(form, r) for r in rows),
        "STORE": "\n".join(_store(form, r) for r in rows),
    }
    source = _C
    for name, value in fields.items():
        source = source.replace(f"@{name}@", value)
    return source


def _place(form: BlockContextForm, row: int) -> str:
    last = f"te_min({row}, rows - 1)" if row else "0"
    return f"  int8_t *const y{row} = result + {last} * {form.width};"


def _last(form: BlockContextForm, row: int) -> str:
    return "\n".join(
        f"      sums[{c * form.rows + row}] += last[{row}] * v[{c}];" for c in range(form.channels)
    )


def _store(form: BlockContextForm, row: int) -> str:
    return "\n".join(
        f"    y{row}[c + {c}] = {form.name}_requantize("
        f"te_shift_left(sums[{c * form.rows + row}], shift), scale[{row}]);"
        for c in range(form.channels)
    )


_C = """
static inline int8_t @NAME@_requantize(int32_t total, int32_t multiplier) {
  int32_t scaled;
  __asm__("smmul %0, %1, %2\\n\\tssat %0, #8, %0" : "=&r"(scaled) : "r"(total), "r"(multiplier));
  return (int8_t)scaled;
}

/* Up to @ROWS@ rows; rows that are not there repeat the last one. */
static void @NAME@(const int16_t *weights, const int32_t *last, const int8_t *values,
    const int32_t *totals, int32_t numerator, int32_t shift, int8_t *result, int32_t keys,
    int32_t rows) {
  const int16_t *const many = weights + @STEP@ * ((keys >> 1) / @TURN@ * @TURN@);
  const int16_t *const end = weights + @STEP@ * (keys >> 1);
@PLACES@
  int32_t scale[@ROWS@], begins[@ROWS@];
  int32_t sums[@COUNT@], *const to = sums;
  const int32_t *const offsets = begins;
  (void)rows;
  for (int32_t r = 0; r < @ROWS@; ++r) {
    scale[r] = numerator / te_max(totals[r], 1);
    begins[r] = te_rounding_offset(scale[r], shift);
  }
  for (int32_t c = 0; c < @WIDTH@; c += @CHANNELS@) {
    const int8_t *const first = values + c;
    __asm__ volatile(
@LINES@
        :
        : [sums] "m"(to), [offsets] "m"(offsets), [weights] "m"(weights), [first] "m"(first),
          [many] "m"(many), [end] "m"(end)
        : @CLOBBERS@);
    if (keys & 1) {
      const int8_t *const v = first + @WIDTH@ * (keys - 1);
@LAST@
    }
@STORE@
  }
}
"""
