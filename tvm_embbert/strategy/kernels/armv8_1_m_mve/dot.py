"""Dot products of two packed rows with blocks of four packed columns, of 16 to 128 bytes each.

Rows are packed by pairs of vectors: two of the first row, the same two of the second. Columns are
packed by vectors: one of each of the four. What does not fill a vector is zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import widened
from tvm_embbert.strategy.kernels.armv8_1_m_mve.assembly import (
    LANES,
    SUMS,
    assembly,
    intrinsic,
    sums_of,
)
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.tir import Expr, prim_func
from tvm_embbert.strategy.operator import Array

ROWS, COLUMNS = 2, 4
LARGEST = 128
"""Bytes of a row that are packed together, if nothing else is said: the loop is written out."""
_ALL = "{" + ",".join(SUMS) + "}"


def padded(width: int) -> int:
    """Return the bytes that a row of `width` bytes takes in whole vectors."""
    return -(-width // LANES) * LANES


def segments(width: int, largest: int = LARGEST) -> list[tuple[int, int]]:
    """Return first byte and length of each part of a row that is packed together."""
    return [(k, min(largest, width - k)) for k in range(0, width, largest)]


def pack_columns(columns: Array, turning: bool = False) -> Array:
    """Return int8 (columns, width) as :func:`dot` reads them, 32-bit words so that C aligns them.

    The number of columns must be a multiple of four; of eight if it is read `turning`.
    """
    count, width = columns.shape
    filled = np.zeros((count, padded(width)), np.int8)
    filled[:, :width] = columns
    blocks = filled.reshape(count // COLUMNS, COLUMNS, -1, LANES).transpose(0, 2, 1, 3)
    if turning:
        blocks = blocks.copy()
        blocks[1::2] = blocks[1::2, vectors_backward(blocks.shape[1])]
    return np.ascontiguousarray(blocks).view("<i4").reshape(-1).astype(np.int32)


@cache
def pack_rows(width: int) -> Intrinsic:
    """Return the intrinsic that packs two rows of int8.

    Parameters: ``first``, ``second`` int8 (width) and ``packed`` int8 (2 * padded width).
    """
    types = {"first": "const int8_t *", "second": "const int8_t *", "packed": "void *"}
    name = f"te_mve_pack_{width}"
    body = assembly(_packing(width), list(types))
    return intrinsic(name, types, body, _packed(width))


def _packing(width: int) -> Iterator[str]:
    if tail := width % LANES:
        yield f"mov r0, #{tail}"
        yield "vctp.8 r0"
    vectors = padded(width) // LANES
    for vector in range(0, vectors, 2):
        count = min(2, vectors - vector)
        for register in range(ROWS * count):
            row, number = divmod(register, count)
            is_tail = bool(tail) and vector + number == vectors - 1
            if is_tail:
                yield "vpst"
            source = "{first}" if row == 0 else "{second}"
            yield f"vldrb{'t' if is_tail else ''}.u8 q{register}, [{source}], #{LANES}"
        yield f"vstmia {{packed}}!, {{{{d0-d{4 * count - 1}}}}}"


def _packed(width: int) -> Any:
    full = padded(width)
    with prim_func(f"pack_{width}_meaning") as tir:
        rows = [tir.tensor(n, (width,), "int8") for n in ("first", "second")]
        packed = tir.tensor("packed", (ROWS * full,), "int8")
        for row, x in enumerate(rows):
            with tir.loop("k", full) as k:
                place = packed_index(row, k, full)
                value = T.if_then_else(k < width, x[T.min(k, width - 1)], T.int8(0))
                tir.store(packed, place, value)
    return tir.prim_func


def packed_index(row: int, k: Expr, full: int) -> Expr:
    """Return where byte k of a row lies among two packed rows of `full` bytes."""
    pair, inside = T.truncdiv(k, 2 * LANES), T.truncmod(k, 2 * LANES)
    step = T.min(2 * LANES, full - pair * 2 * LANES)
    return pair * 2 * 2 * LANES + row * step + inside


def vectors_backward(vectors: int) -> list[int]:
    """Return the vectors of a row in the order of a walk back over their pairs."""
    firsts = range(0, vectors, 2)
    return [v for first in reversed(firsts) for v in range(first, min(first + 2, vectors))]


@cache
def dot(width: int, turning: bool = False) -> Intrinsic:
    """Return the intrinsic that multiplies two packed rows of `width` bytes with packed columns.

    If it is `turning`, each other block of columns meets the rows from their end, which saves the
    way back to their begin; blocks are then even in number.

    Parameters: ``x`` int8 (2 * width), ``w`` int8 (blocks, 4 * width) at whole words, ``start`` and
    ``sums`` int32 (blocks, 2 rows, 4 columns), ``blocks``. The sums begin at ``start``, which may
    be ``sums``.
    """
    types = {
        "x": "const void *",
        "w": "const void *",
        "start": "const int32_t *",
        "sums": "int32_t *",
        "blocks": "int32_t",
    }
    name = f"te_mve_dot_{width}{'_turning' * turning}"
    lines = _multiplying_turning(width) if turning else _multiplying(width)
    meaning = _multiplied(width, turning)
    return intrinsic(name, types, assembly(lines, list(types)), meaning, ("blocks",))


def _multiplying_turning(width: int) -> Iterator[str]:
    vectors = width // LANES
    kept = vectors <= 2
    if kept:
        yield f"vldmia {{x}}, {{{{d0-d{4 * vectors - 1}}}}}"
    yield "1:"
    yield from _block(vectors, list(range(vectors)), "" if kept else "vldmia")
    yield from _block(vectors, vectors_backward(vectors), "" if kept else "vldmdb")
    yield "subs {blocks}, #2"
    yield "bne 1b"


def _multiplying(width: int) -> Iterator[str]:
    vectors = width // LANES
    kept = vectors <= 2
    if kept:
        yield f"vldmia {{x}}, {{{{d0-d{4 * vectors - 1}}}}}"
    yield "1:"
    yield f"ldmia {{start}}!, {{{_ALL}}}"
    for vector in range(vectors):
        count = min(2, vectors - vector // 2 * 2)
        if vector % 2 == 0 and not kept:
            yield f"vldmia {{x}}!, {{{{d0-d{4 * count - 1}}}}}"
        yield "vldmia {w}!, {{d8-d15}}"
        for row in range(ROWS):
            yield from products(row, row * count + vector % 2)
    if not kept:
        yield f"sub {{x}}, #{ROWS * width}"
    yield f"stmia {{sums}}!, {{{_ALL}}}"
    yield "subs {blocks}, #1"
    yield "bne 1b"


def _block(vectors: int, order: list[int], load: str) -> Iterator[str]:
    """Yield the sums of a block of columns; `load` moves along the rows, unless they are kept."""
    yield f"ldmia {{start}}!, {{{_ALL}}}"
    for vector in order:
        count = min(2, vectors - vector // 2 * 2)
        if load and vector % 2 == 0:
            yield f"{load} {{x}}!, {{{{d0-d{4 * count - 1}}}}}"
        yield "vldmia {w}!, {{d8-d15}}"
        for row in range(ROWS):
            yield from products(row, row * count + vector % 2)
    yield f"stmia {{sums}}!, {{{_ALL}}}"


def products(row: int, register: int) -> Iterator[str]:
    """Yield the products of a vector of a row with the four columns in q4 to q7."""
    for column, total in enumerate(sums_of(row)):
        yield f"vmladava.s8 {total}, q{register}, q{4 + column}"


def _multiplied(width: int, turning: bool) -> Any:
    vectors = width // LANES
    backward = vectors_backward(vectors)
    with prim_func(f"dot_{width}_meaning") as tir:
        blocks = tir.dim("blocks")
        x = tir.tensor("x", (ROWS * width,), "int8")
        w = tir.tensor("w", (blocks, COLUMNS * width), "int8")
        start = tir.tensor("start", (blocks, ROWS, COLUMNS), "int32")
        sums = tir.tensor("sums", (blocks, ROWS, COLUMNS), "int32")
        with tir.loop("b", blocks) as b, tir.loop("c", COLUMNS) as c:
            for row in range(ROWS):
                tir.store(sums, (b, row, c), start[b, row, c])
                for place, vector in enumerate(backward if turning else range(vectors)):
                    there = T.if_then_else(b % 2 == 1, place, vector) if turning else vector
                    with tir.loop("k", LANES) as k:
                        byte = w[b, (there * COLUMNS + c) * LANES + k]
                        inside = packed_index(row, vector * LANES + k, width)
                        product = widened(x[inside]) * widened(byte)
                        tir.store(sums, (b, row, c), sums[b, row, c] + product)
    return tir.prim_func
