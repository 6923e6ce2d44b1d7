"""RMSNorm: two squares an instruction, then a product, a shift and a saturation an element."""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import call as arithmetic
from tvm_embbert.strategy.kernels.arithmetic import saturate, widened
from tvm_embbert.strategy.kernels.armv7e_m_dsp import GUARD
from tvm_embbert.strategy.kernels.armv7e_m_dsp.registers import text
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic, address
from tvm_embbert.strategy.kernels.tir import prim_func
from tvm_embbert.strategy.knobs import Config, Knob
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel
from tvm_embbert.strategy.registry import register_implementation

FEW, MANY = 4, 16
"""Words of a turn."""


@register_implementation
class DspRMSNorm(Implementation):
    """One kernel for all calls of the same width; what calibration decides is passed to it."""

    operator = "rms_norm"
    isa = "armv7e-m-dsp"
    priority = 10

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel; epsilon, gain and shift are scalars."""
        tensor, *scalars = call.args
        norm = normalize(int(config.get("words", FEW)))
        made = _kernel(int(tensor.shape[-1]), norm)
        return Kernel(made, (), tuple(scalars), dims={"rows": call.rows}, intrinsics=(norm,))

    def knobs(self, call: IntegerCall) -> tuple[Knob, ...]:
        """Return the words of a turn; two at once are loaded from words alone, not from halves."""
        return () if int(call.output.shape[-1]) % 2 else (Knob("words", (FEW, MANY), FEW),)


def normalize(words: int) -> Intrinsic:
    """Return the intrinsic: rows (rows, channels) int16 by their root mean square, int8.

    A turn of its loops takes `words`, two channels each; more than :data:`FEW` by twos, for rows
    that begin at words.
    """
    name = "te_dsp_rms_norm" if words == FEW else f"te_dsp_rms_norm_{words}"
    squares, scale = (_SQUARES, _SCALE) if words == FEW else (_SQUARES_TWO, _SCALE_TWO)
    source = _C
    for field, value in {
        "SQUARES": text(squares * (words // 2)),
        "SCALE": text(scale * (words // (1 if words == FEW else 2))),
        "PLACES": "a, b" if words == FEW else "a, b, c, d",
        "OUTPUTS": "".join(f', [{v}] "=&r"({v})' for v in ("ab" if words == FEW else "abcd")),
        "REST": str(2 * words - 1),
        "NAME": name,
    }.items():
        source = source.replace(f"@{field}@", value)
    return Intrinsic(name, source, _meaning(), ("rows", "channels"), guard=GUARD)


def _kernel(channels: int, norm: Intrinsic) -> Any:
    with prim_func("rms_norm_dsp") as tir:
        rows = tir.dim("rows")
        x = tir.tensor("x", (rows, channels), "int16")
        epsilon = tir.scalar("epsilon", "int64")
        gain, shift = tir.scalar("gain"), tir.scalar("shift")
        result = tir.tensor("result", (rows, channels), "int8")
        to = address(result[0, 0])
        norm(address(x[0, 0]), epsilon, gain, shift, to, rows, channels)
    return tir.prim_func


def _meaning() -> Any:
    with prim_func("rms_norm") as tir:
        rows, channels = tir.dim("rows"), tir.dim("channels")
        x = tir.tensor("x", (rows, channels), "int16")
        epsilon = tir.scalar("epsilon", "int64")
        gain, shift = tir.scalar("gain"), tir.scalar("shift")
        result = tir.tensor("result", (rows, channels), "int8")
        squares = tir.local("squares", "int64")
        with tir.loop("i", rows) as i:
            tir.store(squares, 0, epsilon)
            with tir.loop("c", channels) as c:
                square = widened(x[i, c]) * widened(x[i, c])
                tir.accumulate(squares, 0, T.Cast("int64", square))
            scale = arithmetic("int32", "norm_multiplier", squares[0], gain)
            bits = arithmetic("int32", "norm_shift", squares[0], shift)
            with tir.loop("c", channels) as c:
                scaled = arithmetic("int32", "round_shift", widened(x[i, c]) * scale, bits)
                tir.store(result, (i, c), saturate(scaled, "int8"))
    return tir.prim_func


_SQUARES = [
    "ldr %[a], [%[x]], #4",
    "ldr %[b], [%[x]], #4",
    "smlald %[low], %[high], %[a], %[a]",
    "smlald %[low], %[high], %[b], %[b]",
]
_SQUARES_TWO = ["ldrd %[a], %[b], [%[x]], #8", *_SQUARES[2:]]
_SCALE = [
    "ldr %[a], [%[x]], #4",
    "smlatb %[b], %[a], %[scale], %[half]",
    "smlabb %[a], %[a], %[scale], %[half]",
    "asr %[b], %[b], %[bits]",
    "asr %[a], %[a], %[bits]",
    "ssat %[b], #8, %[b]",
    "ssat %[a], #8, %[a]",
    "strb %[b], [%[y], #1]",
    "strb %[a], [%[y]], #2",
]
_SCALE_TWO = [
    "ldrd %[a], %[c], [%[x]], #8",
    "smlatb %[b], %[a], %[scale], %[half]",
    "smlabb %[a], %[a], %[scale], %[half]",
    "smlatb %[d], %[c], %[scale], %[half]",
    "smlabb %[c], %[c], %[scale], %[half]",
    *(f"asr %[{v}], %[{v}], %[bits]" for v in "abcd"),
    *(f"ssat %[{v}], #8, %[{v}]" for v in "abcd"),
    "strb %[b], [%[y], #1]",
    "strb %[c], [%[y], #2]",
    "strb %[d], [%[y], #3]",
    "strb %[a], [%[y]], #4",
]

_C = """
/* The sum of squares of a row and `sum`. */
static inline int64_t @NAME@_squares(const int16_t *x, int64_t sum, int32_t channels) {
  uint32_t low = (uint32_t)(uint64_t)sum, high = (uint32_t)((uint64_t)sum >> 32);
  for (const int16_t *const end = x + (channels & ~@REST@); x != end;) {
    uint32_t a, b;
    __asm__ volatile(
@SQUARES@
        : [x] "+r"(x), [low] "+r"(low), [high] "+r"(high), [a] "=&r"(a), [b] "=&r"(b)
        :
        : "memory");
  }
  sum = (int64_t)((uint64_t)high << 32 | low);
  for (int32_t c = 0; c < (channels & @REST@); ++c) {
    sum += x[c] * x[c];
  }
  return sum;
}

/* As te_norm_exponent; the sum is at least 1. */
static inline int32_t @NAME@_exponent(int64_t sum) {
  const int32_t bits = 64 - __builtin_clzll((uint64_t)sum);
  return bits - 32 + (bits & 1);
}

static void @NAME@(const int16_t *x, int64_t epsilon, int32_t gain, int32_t shift,
    int8_t *y, int32_t rows, int32_t channels) {
  for (int32_t i = 0; i < rows; ++i) {
    const int64_t sum = @NAME@_squares(x, epsilon, channels);
    const int32_t exponent = @NAME@_exponent(sum);
    const uint64_t t = exponent > 0 ? (uint64_t)sum >> exponent : (uint64_t)sum << -exponent;
    const uint32_t inverse = (UINT32_C(1) << 31) / te_integer_square_root((uint32_t)t);
    const int32_t scale = (int32_t)(((uint32_t)gain * inverse) >> 16);
    const int32_t bits = shift + 15 + exponent / 2;
    const int32_t half = (int32_t)(1 << (bits - 1));
    for (const int16_t *const end = x + (channels & ~@REST@); x != end;) {
      int32_t @PLACES@;
      __asm__ volatile(
@SCALE@
          : [x] "+r"(x), [y] "+r"(y)@OUTPUTS@
          : [scale] "r"(scale), [half] "r"(half), [bits] "r"(bits)
          : "memory");
    }
    for (int32_t c = 0; c < (channels & @REST@); ++c) {
      *y++ = te_saturate_int8(te_round_shift(*x++ * scale, bits));
    }
  }
}
"""
