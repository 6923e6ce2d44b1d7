"""Rows times weights with outputs in the lanes: no reductions, which pays where rows are short.

A block of outputs has its sums in registers while the inputs go by in pairs: the products of two
are added in 16 bits, and go to 32 bits by a widening addition. Weights lie by pairs of inputs, and
in a pair by outputs: one load takes those of the first input to one group of registers and those of
the second to another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from tvm_embbert.strategy.kernels.arithmetic import requantize, tile_of, widened
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.rv32_zve32x.assembly import assembly, intrinsic
from tvm_embbert.strategy.kernels.rv32_zve32x.channels import (
    PRODUCTS,
    add_products,
    all_channels,
    block_channels,
    load_words,
    narrow_halves,
    store_narrowed,
)
from tvm_embbert.strategy.kernels.tir import prim_func
from tvm_embbert.strategy.operator import Array

WIDEST = 1023
"""Outputs: the weights of two inputs are the largest step to the next ones."""


def pairs(width: int) -> int:
    """Return the pairs of `width` inputs; the last one is alone where they are odd."""
    return (width + 1) // 2


def pack_outputs(weight: Array, widths: Sequence[int]) -> Array:
    """Return weights (outputs, inputs) as :func:`multiply` reads them: (pairs, outputs, 2) int8."""
    first = np.cumsum([0, *widths[:-1]]).tolist()
    parts = []
    for k, width in zip(first, widths, strict=True):
        filled = np.zeros((len(weight), 2 * pairs(width)), np.int8)
        filled[:, :width] = weight[:, k : k + width]
        parts.append(filled.reshape(len(weight), -1, 2).transpose(1, 0, 2))
    return np.ascontiguousarray(np.concatenate(parts))


@cache
def multiply(
    widths: tuple[int, ...], outputs: int, shift: int, dtype: str, unroll: int
) -> Intrinsic:
    """Return the intrinsic that computes a row of the result.

    Parameters: ``x0``, ``x1``, ... int8 (widths), ``w`` int8 (pairs of all, outputs, 2), none
    -128; ``bias`` and ``multiplier`` int32 (outputs), ``result`` int8 or int16 (outputs).
    """
    rows = [f"x{number}" for number in range(len(widths))]
    types = {
        **dict.fromkeys((*rows, "w"), "const int8_t *"),
        "bias": "const int32_t *",
        "multiplier": "const int32_t *",
        "result": f"{dtype}_t *",
    }
    shape = "_".join(map(str, (*widths, outputs, shift, dtype, unroll)))
    name = f"te_rvv_multiply_{shape}"
    lines = _multiplying(widths, outputs, (shift, dtype), unroll)
    changed = ["w", "bias", "multiplier", "result"]
    body = assembly(lines, changed, {x: x for x in rows})
    return intrinsic(name, types, body, _multiplied(widths, outputs, shift, dtype))


def _multiplying(
    widths: tuple[int, ...], outputs: int, result: tuple[int, str], unroll: int
) -> Iterator[str]:
    shift, dtype = result
    yield f"li t1, {outputs}"
    yield "1:"
    yield "vsetvli t0, t1, e8, m4, ta, ma"
    yield from load_words("bias", (0, 8))
    yield "mv t3, {w}"
    for number, width in enumerate(widths):
        yield from _part(number, width, outputs, unroll)
    yield from load_words("multiplier", (16, 24))
    yield all_channels("e32, m8")
    for sums in (0, 8):
        if shift:
            yield f"vsll.vi v{sums}, v{sums}, {shift}"
        yield f"vmulh.vv v{sums}, v{sums}, v{16 + sums}"
    yield from _store(dtype)
    yield "sub t1, t1, t0"
    for pointer in ("w", "w", *["result"] * (int(dtype[3:]) // 8)):
        yield f"add {{{pointer}}}, {{{pointer}}}, t0"
    yield "slli t0, t0, 2"
    yield "add {bias}, {bias}, t0"
    yield "add {multiplier}, {multiplier}, t0"
    yield "bnez t1, 1b"


def _part(number: int, width: int, outputs: int, unroll: int) -> Iterator[str]:
    """Yield the products of an input tensor: t2 is in its row, t3 in the weights, t4 counts."""
    whole, step = width // 2, 2 * outputs
    yield f"mv t2, {{x{number}}}"
    if whole:
        turn = tile_of(whole, unroll)
        yield f"li t4, {whole // turn}"
        yield "2:"
        for pair in range(turn):
            yield from _pair(2 * pair, 2 * pair + 1, step)
        yield f"addi t2, t2, {2 * turn}"
        yield "addi t4, t4, -1"
        yield "bnez t4, 2b"
    if width % 2:
        yield from _pair(0, 0, step)


def _pair(first: int, second: int, step: int) -> Iterator[str]:
    yield block_channels()
    yield "vlseg2e8.v v24, (t3)"
    yield f"addi t3, t3, {step}"
    yield f"lb t5, {first}(t2)"
    yield f"vwmul.vx v{PRODUCTS}, v24, t5"
    yield f"lb t5, {second}(t2)"
    yield f"vwmacc.vx v{PRODUCTS}, t5, v28"
    yield from add_products()


def _store(dtype: str) -> Iterator[str]:
    if dtype == "int8":
        yield from store_narrowed()
        return
    yield from narrow_halves()
    yield "vsetvli zero, t0, e16, m8, ta, ma"
    yield f"vse16.v v{PRODUCTS}, ({{result}})"


def _multiplied(widths: tuple[int, ...], outputs: int, shift: int, dtype: str) -> Any:
    with prim_func("multiply_meaning") as tir:
        rows = [tir.tensor(f"x{n}", (width,), "int8") for n, width in enumerate(widths)]
        w = tir.tensor("w", (sum(map(pairs, widths)), outputs, 2), "int8")
        bias = tir.tensor("bias", (outputs,), "int32")
        multiplier = tir.tensor("multiplier", (outputs,), "int32")
        result = tir.tensor("result", (outputs,), dtype)
        total = tir.local("total", "int32")
        with tir.loop("c", outputs) as c:
            tir.store(total, 0, bias[c])
            for number, (x, width) in enumerate(zip(rows, widths, strict=True)):
                first = sum(map(pairs, widths[:number]))
                with tir.loop("k", width) as k:
                    byte = w[first + k // 2, c, k % 2]
                    tir.accumulate(total, 0, widened(x[k]) * widened(byte))
            tir.store(result, c, requantize(total[0], multiplier[c], shift, dtype))
    return tir.prim_func
