"""A block of four rows times a matrix of int8, two outputs at a time.

A word holds two weights of each of two outputs, [w0k w1k w0l w1l]. SXTB16 of it is the pair of
output 0. As a pair of 16 bits the word is ``256 * w1 + w0``, if the upper bytes are stored less the
borrow; so a sum of products with the word itself is ``256 * sum1 + sum0``, and output 1 needs no
SXTB16. Where that sum may not fit 32 bits, a second SXTB16 takes the upper bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import call as arithmetic
from tvm_embbert.strategy.kernels.arithmetic import multiply_high, saturate, widened
from tvm_embbert.strategy.kernels.armv7e_m_dsp import GUARD
from tvm_embbert.strategy.kernels.armv7e_m_dsp.widen import ROWS
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.tir import Expr, prim_func
from tvm_embbert.strategy.operator import Array

UNROLLED = 16
"""Pairs that a turn of the inner loop takes: the inputs are a multiple of twice as many."""


def fits_split(weight: Array, reach: Array) -> bool:
    """Return whether ``256 * sum1 + sum0`` fits 32 bits.

    `weight` int8 is (outputs, inputs), `reach` the greatest magnitude of each input.
    """
    sums = np.abs(weight.astype(np.int64)) @ reach
    return bool(weight.min(initial=0) > -128 and int(sums.max(initial=0)) * 257 < 2**31)


def interleave(weight: Array, split: bool) -> Array:
    """Lay out a matrix (outputs, inputs), both filled up, as (outputs / 2, pairs, 2, 2) int8."""
    outputs, inputs = weight.shape
    laid = weight.reshape(outputs // 2, 2, inputs // 2, 2).transpose(0, 2, 3, 1).copy()
    if split:
        laid[..., 1] -= (laid[..., 0] < 0).astype(np.int8)
    return laid


@dataclass(frozen=True)
class MatrixForm:
    """What the intrinsic is specialised for."""

    dtype: str
    split: bool
    indexed: bool
    unroll: int = UNROLLED

    @property
    def name(self) -> str:
        """Return the name of the C function."""
        suffix = ("" if self.split else "_plain") + ("_indexed" if self.indexed else "")
        suffix += "" if self.unroll == UNROLLED else f"_{self.unroll}"
        return f"te_dsp_matrix_{self.dtype.replace('int', 's')}{suffix}"


def matrix(form: MatrixForm) -> Intrinsic:
    """Return the intrinsic: ``result = requantized(wide @ weight.T + bias)`` for up to 4 rows."""
    dims = ("pairs", "outputs", "rows", *(("indices",) if form.indexed else ()))
    return Intrinsic(form.name, _c(form), matrix_meaning(form), dims, guard=GUARD, gcc=True)


def matrix_meaning(form: MatrixForm, block: int = ROWS) -> Any:
    """Return what the intrinsic means for rows that are interleaved by `block`."""
    with prim_func("matrix") as tir:
        pairs, outputs, rows = tir.dim("pairs"), tir.dim("outputs"), tir.dim("rows")
        even = T.truncdiv(outputs + 1, 2) * 2
        wide = tir.tensor("wide", (pairs, block, 2), "int16")
        index = tir.tensor("index", (rows,), "int32") if form.indexed else None
        weight = tir.tensor("weight", (T.truncdiv(outputs + 1, 2), pairs, 2, 2), "int8")
        picks = (tir.dim("indices"),) if form.indexed else ()
        bias = tir.tensor("bias", (*picks, even), "int32")
        multiplier = tir.tensor("multiplier", (even,), "int32")
        shift = tir.scalar("shift")
        result = tir.tensor("result", (rows, outputs), form.dtype)
        total = tir.local("total", "int32")
        with tir.loop("i", rows) as i, tir.loop("o", outputs) as o:
            tir.store(total, 0, bias[o] if index is None else bias[index[i], o])
            with tir.loop("p", pairs) as p, tir.loop("e", 2) as e:
                product = widened(wide[p, i, e]) * _weight(weight, form, (p, e, o))
                tir.accumulate(total, 0, product)
            shifted = arithmetic("int32", "shift_left", total[0], shift)
            scaled = saturate(multiply_high(shifted, multiplier[o]), form.dtype)
            tir.store(result, (i, o), scaled)
    return tir.prim_func


def _weight(weight: Any, form: MatrixForm, place: tuple[Expr, Expr, Expr]) -> Expr:
    p, e, o = place
    block, column = T.truncdiv(o, 2), T.truncmod(o, 2)
    stored = widened(weight[block, p, e, column])
    if not form.split:
        return stored
    borrowed = T.if_then_else(weight[block, p, e, 0] < T.int8(0), column, 0)
    return stored + borrowed


def _c(form: MatrixForm) -> str:
    fours = [f"{form.name.upper()}_PAIRS"] * (form.unroll // 4)
    turn = [" ".join(fours[first : first + 2]) for first in range(0, len(fours), 2)]
    fields = {
        "TURN": "\n        ".join(turn),
        "NAME": form.name,
        "MACRO": form.name.upper(),
        "TYPE": f"{form.dtype}_t",
        "BITS": form.dtype.removeprefix("int"),
        "INDEX": "const int32_t *index, " if form.indexed else "",
        "INDICES": ", int32_t indices" if form.indexed else "",
        "UNUSED": "\n  (void)indices;" if form.indexed else "",
        "BIAS": "bias + index[{row}] * even + o" if form.indexed else "bias + o",
        "SECOND": "" if form.split else _SECOND,
        "SPLIT": _SPLIT if form.split else "",
    }
    text = _C
    for row in range(ROWS):
        text = text.replace(f"@BIAS{row}@", fields["BIAS"].format(row=f"te_min({row}, rows - 1)"))
    for name, value in fields.items():
        text = text.replace(f"@{name}@", value)
    return text


_SECOND = """\\
  "sxtb16 %[w], %[w], ror #8\\n\\t" """

_SPLIT = """
    w0 = (w0 - s0) >> 8;
    w1 = (w1 - s1) >> 8;
    w2 = (w2 - s2) >> 8;
    w3 = (w3 - s3) >> 8;"""

_C = """
#define @MACRO@_PAIR \\
  "ldr %[w], [%[weight]], #4\\n\\t" \\
  "ldrd %[a], %[b], [%[x]], #16\\n\\t" \\
  "sxtb16 %[v], %[w]\\n\\t" @SECOND@\\
  "smlad %[s0], %[a], %[v], %[s0]\\n\\t" \\
  "smlad %[w0], %[a], %[w], %[w0]\\n\\t" \\
  "smlad %[s1], %[b], %[v], %[s1]\\n\\t" \\
  "smlad %[w1], %[b], %[w], %[w1]\\n\\t" \\
  "ldrd %[a], %[b], [%[x], #-8]\\n\\t" \\
  "smlad %[s2], %[a], %[v], %[s2]\\n\\t" \\
  "smlad %[w2], %[a], %[w], %[w2]\\n\\t" \\
  "smlad %[s3], %[b], %[v], %[s3]\\n\\t" \\
  "smlad %[w3], %[b], %[w], %[w3]\\n\\t"
#define @MACRO@_PAIRS \\
  @MACRO@_PAIR @MACRO@_PAIR @MACRO@_PAIR @MACRO@_PAIR

static inline @TYPE@ @NAME@_requantize(int32_t total, int32_t multiplier) {
  int32_t scaled;
  __asm__("smmul %0, %1, %2\\n\\tssat %0, #@BITS@, %0"
          : "=&r"(scaled)
          : "r"(total), "r"(multiplier));
  return (@TYPE@)scaled;
}

static inline void @NAME@_store(@TYPE@ *to, int32_t sum0, int32_t sum1,
    const int32_t *bias, const int32_t *multiplier, int32_t shift, int32_t both) {
  to[0] = @NAME@_requantize(te_shift_left(sum0 + bias[0], shift), multiplier[0]);
  if (both) {
    to[1] = @NAME@_requantize(te_shift_left(sum1 + bias[1], shift), multiplier[1]);
  }
}

/* Four rows times the matrix; rows that are not there repeat the last one, also in the result. */
static void @NAME@(const int16_t *wide, @INDEX@const int8_t *weight,
    const int32_t *bias, const int32_t *multiplier, int32_t shift, @TYPE@ *result,
    int32_t pairs, int32_t outputs, int32_t rows@INDICES@) {@UNUSED@
  const int32_t even = (outputs + 1) & ~1;
  const int16_t *const end = wide + 8 * pairs;
  @TYPE@ *const y1 = result + te_min(1, rows - 1) * outputs;
  @TYPE@ *const y2 = result + te_min(2, rows - 1) * outputs;
  @TYPE@ *const y3 = result + te_min(3, rows - 1) * outputs;
  for (int32_t o = 0; o < even; o += 2) {
    const int16_t *x = wide;
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0, w0 = 0, w1 = 0, w2 = 0, w3 = 0, a, b, v, w;
    __asm__ volatile(
        "1:\\n\\t" @TURN@
        "ldr %[a], %[end]\\n\\t"
        "cmp %[x], %[a]\\n\\t"
        "bne 1b\\n\\t"
        : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [w0] "+r"(w0),
          [w1] "+r"(w1), [w2] "+r"(w2), [w3] "+r"(w3), [x] "+r"(x), [weight] "+r"(weight),
          [a] "=&r"(a), [b] "=&r"(b), [v] "=&r"(v), [w] "=&r"(w)
        : [end] "m"(end)
        : "cc", "memory");@SPLIT@
    const int32_t both = o + 1 < outputs;
    const int32_t *const m = multiplier + o;
    @NAME@_store(result + o, s0, w0, @BIAS0@, m, shift, both);
    @NAME@_store(y1 + o, s1, w1, @BIAS1@, m, shift, both);
    @NAME@_store(y2 + o, s2, w2, @BIAS2@, m, shift, both);
    @NAME@_store(y3 + o, s3, w3, @BIAS3@, m, shift, both);
  }
}
"""
