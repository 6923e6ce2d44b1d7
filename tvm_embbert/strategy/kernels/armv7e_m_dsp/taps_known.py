"""Depthwise convolution of two channels where taps, channels and shift are known.

The products are those of :mod:`.taps`; sums go through memory, so that all registers are the
assembly's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tvm_embbert.strategy.kernels.armv7e_m_dsp import GUARD
from tvm_embbert.strategy.kernels.armv7e_m_dsp.registers import (
    Registers,
    clobbers,
    numbered,
    text,
)
from tvm_embbert.strategy.kernels.armv7e_m_dsp.taps import TAPS, taps_meaning
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic


@dataclass(frozen=True)
class KnownTaps:
    """What the taps are specialised for: their number, channels of a row, the shift, the loop."""

    number: int
    channels: int
    shift: int
    unroll: int

    @property
    def name(self) -> str:
        """Return the name of the C function."""
        return f"te_dsp_taps_{self.number}x{self.channels}_{self.shift}_{self.unroll}"


def known_taps(form: KnownTaps, group: int) -> Intrinsic:
    """Return the intrinsic: up to a group's rows of two channels; parameters as :func:`.taps`."""
    dims = ("taps", "rows", "channels")
    return Intrinsic(form.name, _known_c(form), taps_meaning(group), dims, guard=GUARD, gcc=True)


def _known_c(form: KnownTaps) -> str:
    """Return C that knows the sizes; there is no loop over taps if a turn takes all."""
    registers = Registers()
    sums = registers.take(*numbered("s", 4), *numbered("z", 4))
    registers.take("a", "b", "t", "u", "x", "w")
    names = registers.variables
    pair = [_named(line, names) for line in re.findall(r'"(.*?)\\n', TAPS[: TAPS.index("static")])]
    turn = pair * (form.unroll // 2)
    if form.unroll < form.number:
        turn = [
            "1:",
            *turn,
            f"ldr {names['a']}, %[end]",
            f"cmp {names['w']}, {names['a']}",
            "bne 1b",
        ]
    begin = [f"ldr {names['s0']}, %[b0]", f"ldr {names['z0']}, %[b1]"]
    begin += [f"mov {names[f'{n}{r}']}, {names[f'{n}0']}" for n in "sz" for r in (1, 2, 3)]
    begin += [f"ldr {names['x']}, %[x]", f"ldr {names['w']}, %[weight]"]
    end = [f"ldr {names['x']}, %[to]", f"stm {names['x']}, {{{', '.join(sums)}}}"]
    fields = {
        "LINES": text([*begin, *turn, *end]),
        "CLOBBERS": clobbers(names, ()),
        "NAME": form.name,
        "TAPS": str(form.number),
        "CHANNELS": str(form.channels),
        "SUM": f"te_shift_left(total, {form.shift})" if form.shift else "total",
    }
    source = _KNOWN
    for field, value in fields.items():
        source = source.replace(f"@{field}@", value)
    return source


def _named(line: str, names: dict[str, str]) -> str:
    """Return an instruction with registers in the place of operands."""
    return re.sub(r"%\[(\w+)\]", lambda found: names[found[1]], line)


_KNOWN = """
static inline int8_t @NAME@_scale(int32_t total, int32_t multiplier) {
  int32_t scaled;
  __asm__("smmul %0, %1, %2\\n\\tssat %0, #8, %0" : "=&r"(scaled) : "r"(@SUM@), "r"(multiplier));
  return (int8_t)scaled;
}

/* Two channels of a group of rows, four at a time. */
static void @NAME@(const int16_t *pairs, const int8_t *weight, const int32_t *bias,
    const int32_t *multiplier, int32_t shift, int8_t *result, int32_t taps, int32_t rows,
    int32_t channels) {
  const int8_t *const end = weight + 2 * @TAPS@;
  const int32_t b0 = bias[0], b1 = bias[1], m0 = multiplier[0], m1 = multiplier[1];
  (void)shift, (void)taps, (void)channels;
  for (int32_t i = 0; i < rows; i += 4) {
    const int16_t *const x = pairs + 4 * i;
    int32_t s[8], *const to = s;
    __asm__ volatile(
@LINES@
        :
        : [b0] "m"(b0), [b1] "m"(b1), [x] "m"(x), [weight] "m"(weight), [end] "m"(end), [to] "m"(to)
        : @CLOBBERS@);
    int8_t *const y = result + i * @CHANNELS@;
    const int32_t left = rows - i;
    y[0] = @NAME@_scale(s[0], m0);
    y[1] = @NAME@_scale(s[4], m1);
    if (left > 1) {
      y[@CHANNELS@] = @NAME@_scale(s[1], m0);
      y[@CHANNELS@ + 1] = @NAME@_scale(s[5], m1);
    }
    if (left > 2) {
      y[2 * @CHANNELS@] = @NAME@_scale(s[2], m0);
      y[2 * @CHANNELS@ + 1] = @NAME@_scale(s[6], m1);
    }
    if (left > 3) {
      y[3 * @CHANNELS@] = @NAME@_scale(s[3], m0);
      y[3 * @CHANNELS@ + 1] = @NAME@_scale(s[7], m1);
    }
  }
}
"""
