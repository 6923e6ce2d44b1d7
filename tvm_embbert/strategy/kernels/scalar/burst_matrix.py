"""A block of rows times a matrix of int8 by bursts, an output at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import call as arithmetic
from tvm_embbert.strategy.kernels.arithmetic import multiply_high, saturate, widened
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.scalar.burst import (
    beside,
    clobbered,
    lines,
    listed,
    looped_steps,
    places,
    summed,
)
from tvm_embbert.strategy.kernels.scalar.burst_words import place_of, words_shape
from tvm_embbert.strategy.kernels.scalar.form import Block, filled
from tvm_embbert.strategy.kernels.scalar.sums import guard_of
from tvm_embbert.strategy.kernels.scalar.words import half_of
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func
from tvm_embbert.strategy.operator import Array


@dataclass(frozen=True)
class BurstMatrixForm:
    """What the intrinsic is specialised for; `steps` are whole turns where bytes lie beside."""

    block: Block
    dtype: str
    indexed: bool
    steps: int
    outputs: int
    shift: int

    @property
    def beside(self) -> bool:
        """Return whether the bytes of an output are copied beside the words, four at a time."""
        return beside(self.block)

    @property
    def name(self) -> str:
        """Return the name of the C function."""
        sizes = f"{self.steps}_{self.outputs}_{self.shift}"
        suffix = "_indexed" if self.indexed else ""
        return (
            f"te_scalar_matrix_{self.dtype.replace('int', 's')}_{sizes}_{self.block.name}{suffix}"
        )


def burst_weight(form: BurstMatrixForm, weight: Array) -> Array:
    """Lay out a matrix, int8 (outputs, inputs): as it is, or four inputs in an int32."""
    rows = np.ascontiguousarray(weight)
    return rows.view(np.dtype("<i4")).astype(np.int32) if form.beside else rows


def burst_matrix(form: BurstMatrixForm) -> Intrinsic:
    """Return the intrinsic: ``result = requantized(x @ weight.T + bias)`` for a block of rows.

    Where bytes lie beside the words, those of the last output are left there.
    """
    dims = ("rows", *(("indices",) if form.indexed else ()))
    return Intrinsic(
        form.name, _c(form), _meaning(form), dims, guard=guard_of(form.block), gcc=True
    )


def _meaning(form: BurstMatrixForm) -> Any:
    with prim_func("matrix") as tir:
        rows = tir.dim("rows")
        words = tir.tensor("words", words_shape(form.block, form.steps), "int32")
        index = tir.tensor("index", (rows,), "int32") if form.indexed else None
        size, dtype = (form.steps // 4, "int32") if form.beside else (form.steps, "int8")
        weight = tir.tensor("weight", (form.outputs, size), dtype)
        picks = (tir.dim("indices"),) if form.indexed else ()
        bias = tir.tensor("bias", (*picks, form.outputs), "int32")
        multiplier = tir.tensor("multiplier", (form.outputs,), "int32")
        result = tir.tensor("result", (rows, form.outputs), form.dtype)
        total = tir.local("total", "int32")
        for r in range(form.block.rows):
            with tir.when(r < rows), tir.loop("o", form.outputs) as o:
                tir.store(total, 0, bias[o] if index is None else bias[index[r], o])
                with tir.loop("k", form.steps) as k:
                    word = words[place_of(form.block, k, r // 2)]
                    value = half_of(word, r % 2 == 1, form.block.bits)
                    tir.accumulate(total, 0, value * _weight(form, weight, o, k))
                shifted = arithmetic("int32", "shift_left", total[0], form.shift)
                scaled = saturate(multiply_high(shifted, multiplier[o]), form.dtype)
                tir.store(result, (r, o), scaled)
        if form.beside:
            _leave(tir, form, words, weight)
    return tir.prim_func


def _weight(form: BurstMatrixForm, weight: Buffer, o: Expr, k: Expr) -> Expr:
    """Return a weight, int32: the byte of four, which are made positive first."""
    if not form.beside:
        return widened(weight[o, k])
    byte, four = T.truncmod(k, 4), T.Cast("int64", weight[o, T.truncdiv(k, 4)]) + (1 << 32)
    unit = T.int64(1)
    for n in range(1, 4):
        unit = T.if_then_else(byte == n, T.int64(1 << 8 * n), unit)
    return widened(T.Cast("int8", T.truncmod(T.truncdiv(four, unit), T.int64(256))))


def _leave(tir: Tir, form: BurstMatrixForm, words: Buffer, weight: Buffer) -> None:
    unroll = form.block.unroll
    with tir.loop("b", form.steps // unroll) as b, tir.loop("i", unroll // 4) as i:
        last = weight[form.outputs - 1, b * (unroll // 4) + i]
        tir.store(words, b * (4 * unroll + unroll // 4) + 4 * unroll + i, last)


def _c(form: BurstMatrixForm) -> str:
    block = form.block
    sums, _ = places(block)
    stored = ["ldr r0, %[sums]", f"stm r0, {listed(sums)}"]
    ends = words_shape(block, looped_steps(block, form.steps))[0]
    fields = {
        "OUTPUT": lines([*summed(block, form.steps), *stored]),
        "CLOBBERED": clobbered(("r0", "r1")),
        "DECLARED": f"  const int32_t *const turns = words + {ends};\n" if ends else "",
        "END": '[turns] "m"(turns), ' if ends else "",
        "WORDS": "int32_t *" if form.beside else "const int32_t *",
        "WEIGHTS": "int32_t" if form.beside else "int8_t",
        "WIDTH": form.steps // 4 if form.beside else form.steps,
        "ALL": "".join(_stored(form, r) for r in range(block.rows)),
        "EACH": _stored(form, "r"),
        "TYPE": f"{form.dtype}_t",
        "INDEX": "const int32_t *index, " if form.indexed else "",
        "INDICES": ", int32_t indices" if form.indexed else "",
        "UNUSED": "\n  (void)indices;" if form.indexed else "",
        "ROWS": block.rows,
        "OUTPUTS": form.outputs,
        "SHIFT": form.shift,
        "DTYPE": form.dtype,
        "NAME": form.name,
    }
    return filled(_C, fields)


def _stored(form: BurstMatrixForm, r: int | str) -> str:
    bias = f"bias[index[{r}] * @OUTPUTS@ + o]" if form.indexed else "bias[o]"
    return f"      to[{r} * @OUTPUTS@] = @NAME@_scaled(sums[{r}] + {bias}, multiplier[o]);\n"


_C = """
/* A block of rows times an output; a function, so that registers are saved at once. */
static __attribute__((noinline)) void @NAME@_sums(@WORDS@words, const @WEIGHTS@ *weight,
    int32_t *sums) {
@DECLARED@  register @WORDS@x __asm__("r0") = words;
  register const @WEIGHTS@ *w __asm__("r1") = weight;
  __asm__ volatile(@OUTPUT@
      : "+r"(x), "+r"(w)
      : @END@[sums] "m"(sums)
      : @CLOBBERED@);
}

static inline @TYPE@ @NAME@_scaled(int32_t sum, int32_t multiplier) {
  return te_saturate_@DTYPE@(te_multiply_high(te_shift_left(sum, @SHIFT@), multiplier));
}

/* A block of rows times the matrix; results of rows that are not there are not stored. */
static void @NAME@(@WORDS@words, @INDEX@const @WEIGHTS@ *weight,
    const int32_t *bias, const int32_t *multiplier, @TYPE@ *result, int32_t rows@INDICES@) {@UNUSED@
  int32_t sums[@ROWS@];
  for (int32_t o = 0; o < @OUTPUTS@; ++o) {
    @TYPE@ *const to = result + o;
    @NAME@_sums(words, weight, sums);
    weight += @WIDTH@;
    if (rows == @ROWS@) {
@ALL@      continue;
    }
    for (int32_t r = 0; r < rows; ++r) {
@EACH@    }
  }
}
"""
