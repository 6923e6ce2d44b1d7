"""A block of rows, two in a word, times a matrix of int8, some outputs at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import call as arithmetic
from tvm_embbert.strategy.kernels.arithmetic import multiply_high, saturate, widened
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.scalar.form import Block, filled
from tvm_embbert.strategy.kernels.scalar.sums import Walk, fills, guard_of, sums
from tvm_embbert.strategy.kernels.scalar.words import row_of
from tvm_embbert.strategy.kernels.tir import prim_func
from tvm_embbert.strategy.operator import Array


def interleave(weight: Array, outputs: int) -> Array:
    """Lay out a matrix (all outputs, inputs) as (blocks, inputs, outputs), the last filled up."""
    full = np.pad(weight, ((0, -weight.shape[0] % outputs), (0, 0)))
    return full.reshape(-1, outputs, weight.shape[1]).transpose(0, 2, 1).copy()


@dataclass(frozen=True)
class MatrixForm:
    """What the intrinsic is specialised for; `ragged` where the last block lacks outputs."""

    block: Block
    dtype: str
    indexed: bool
    ragged: bool

    @property
    def name(self) -> str:
        """Return the name of the C function."""
        suffix = ("_indexed" if self.indexed else "") + ("_ragged" if self.ragged else "")
        return f"te_scalar_matrix_{self.dtype.replace('int', 's')}_{self.block.name}{suffix}"


def matrix(form: MatrixForm) -> Intrinsic:
    """Return the intrinsic: ``result = requantized(x @ weight.T + bias)`` for a block of rows."""
    dims = ("steps", "outputs", "rows", *(("indices",) if form.indexed else ()))
    return Intrinsic(
        form.name, _c(form), _meaning(form), dims, guard=guard_of(form.block), gcc=fills(form.block)
    )


def _meaning(form: MatrixForm) -> Any:
    wide = form.block.outputs
    with prim_func("matrix") as tir:
        steps, outputs, rows = tir.dim("steps"), tir.dim("outputs"), tir.dim("rows")
        words = tir.tensor("words", (steps, form.block.words), "int32")
        index = tir.tensor("index", (rows,), "int32") if form.indexed else None
        blocks = T.truncdiv(outputs + wide - 1, wide)
        weight = tir.tensor("weight", (blocks, steps, wide), "int8")
        picks = (tir.dim("indices"),) if form.indexed else ()
        bias = tir.tensor("bias", (*picks, outputs), "int32")
        multiplier = tir.tensor("multiplier", (outputs,), "int32")
        shift = tir.scalar("shift")
        result = tir.tensor("result", (rows, outputs), form.dtype)
        total = tir.local("total", "int32")
        for r in range(form.block.rows):
            with tir.when(r < rows), tir.loop("o", outputs) as o:
                tir.store(total, 0, bias[o] if index is None else bias[index[r], o])
                with tir.loop("k", steps) as k:
                    value = row_of(words, k, r, form.block)
                    taken = weight[T.truncdiv(o, wide), k, T.truncmod(o, wide)]
                    tir.accumulate(total, 0, value * widened(taken))
                shifted = arithmetic("int32", "shift_left", total[0], shift)
                scaled = saturate(multiply_high(shifted, multiplier[o]), form.dtype)
                tir.store(result, (r, o), scaled)
    return tir.prim_func


def _c(form: MatrixForm) -> str:
    block = form.block
    walk = Walk(step=block.outputs, output=1, word=block.words)
    fields = {
        "TYPE": f"{form.dtype}_t",
        "INDEX": "const int32_t *index, " if form.indexed else "",
        "INDICES": ", int32_t indices" if form.indexed else "",
        "UNUSED": "\n  (void)indices;" if form.indexed else "",
        "BIAS": "bias + index[r] * outputs + o" if form.indexed else "bias + o",
        "STORED": _RAGGED if form.ragged else "".join(map(_stored, range(block.outputs))),
        "NAME": form.name,
        "ROWS": block.rows,
        "OUTPUTS": block.outputs,
        "DTYPE": form.dtype,
    }
    return sums(f"{form.name}_sums", block, walk) + filled(_C, fields)


def _stored(c: int) -> str:
    return f"      to[{c}] = @NAME@_scaled(sums[{c} * @ROWS@ + r] + b[{c}], m[{c}], shift);\n"


_RAGGED = """\
      for (int32_t c = 0; c < te_min(@OUTPUTS@, outputs - o); ++c) {
        to[c] = @NAME@_scaled(sums[c * @ROWS@ + r] + b[c], m[c], shift);
      }
"""

_C = """
static inline @TYPE@ @NAME@_scaled(int32_t sum, int32_t multiplier, int32_t shift) {
  return te_saturate_@DTYPE@(te_multiply_high(te_shift_left(sum, shift), multiplier));
}

/* A block of rows times the matrix; results of rows that are not there are not stored. */
static void @NAME@(const int32_t *words, @INDEX@const int8_t *weight,
    const int32_t *bias, const int32_t *multiplier, int32_t shift, @TYPE@ *result,
    int32_t steps, int32_t outputs, int32_t rows@INDICES@) {@UNUSED@
  int32_t sums[@OUTPUTS@ * @ROWS@];
  for (int32_t o = 0; o < outputs; o += @OUTPUTS@) {
    @NAME@_sums(words, weight, steps, sums);
    weight += @OUTPUTS@ * steps;
    for (int32_t r = 0; r < rows; ++r) {
      const int32_t *const b = @BIAS@, *const m = multiplier + o;
      @TYPE@ *const to = result + r * outputs + o;
@STORED@    }
  }
}
"""
