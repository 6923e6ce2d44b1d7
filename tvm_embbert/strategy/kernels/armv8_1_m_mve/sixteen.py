"""Weights of two rows of scores, sixteen at a time: distances are narrowed to bytes first.

The table has 256 entries, so that saturation to a byte is the bound of its index, and one gather
looks sixteen up. Narrowing takes the lanes of four vectors in turn: byte ``4 * i + j`` of sixteen
is lane i of vector j. Scores of a vector are of keys a quarter apart, those of the next one of the
keys that follow; so bytes come in fours of keys that follow each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import multiply_high, widened
from tvm_embbert.strategy.kernels.armv8_1_m_mve.assembly import LANES, assembly, intrinsic
from tvm_embbert.strategy.kernels.armv8_1_m_mve.dot import COLUMNS, ROWS
from tvm_embbert.strategy.kernels.armv8_1_m_mve.weights import GROUP
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func

_ROW_BYTES = 4 * COLUMNS


def byte_of(position: Expr) -> Expr:
    """Return which byte is that of a position of the scores."""
    inside = position % LANES
    return position - inside + inside % COLUMNS * COLUMNS + T.truncdiv(inside, COLUMNS)


@cache
def order_bytes() -> Intrinsic:
    """Return the intrinsic that brings a mask over keys to the order of the bytes.

    Parameters: ``hidden`` bool (4 * quarter), ``mask`` int8 (chunks, 4, 4), ``quarter``,
    ``chunks``: four of a quarter of the keys, or less.
    """
    types = {"hidden": "const void *", "mask": "int8_t *", "quarter": "int32_t"}
    types["chunks"] = "int32_t"
    body = """\
  const uint8_t *seen = hidden;
  for (int32_t chunk = 0; chunk < chunks; ++chunk) {
    for (int32_t i = 0; i < 4; ++i) {
      __builtin_memcpy(mask + 4 * i, seen + i * quarter, 4);
    }
    seen += 4;
    mask += 16;
  }
"""
    with prim_func("order_bytes_meaning") as tir:
        quarter, chunks = tir.dim("quarter"), tir.dim("chunks")
        hidden = tir.tensor("hidden", (COLUMNS * quarter,), "bool")
        mask = tir.tensor("mask", (chunks, COLUMNS, COLUMNS), "int8")
        with (
            tir.loop("b", chunks) as b,
            tir.loop("i", COLUMNS) as i,
            tir.loop("j", COLUMNS) as j,
        ):
            tir.store(mask, (b, i, j), T.Cast("int8", hidden[b * COLUMNS + j + i * quarter]))
    return intrinsic("te_mve_order_bytes", types, body, tir.prim_func, ("quarter", "chunks"))


@cache
def transpose_eight(width: int) -> Intrinsic:
    """Return the intrinsic that brings eight channels of keys together, 16 keys at a time.

    Parameters: ``v`` int8 (length) from its first channel on, at whole words; ``first`` and
    ``second`` int8 (chunks, 4, 16), of four channels each; ``quarter``, ``chunks``, ``length``. A
    key has `width` bytes; a chunk has four that follow of each quarter.
    """
    types = {"v": "const int8_t *", "first": "void *", "second": "void *"}
    types |= dict.fromkeys(("quarter", "chunks", "length"), "int32_t")
    read = {f"v{i}": f"v + {i * width} * quarter" for i in range(COLUMNS)}
    read |= {"stride": str(4 * width), "chunks": "chunks"}
    body = "  (void)length;\n" + assembly(_transposing(width), ["first", "second"], read)
    with prim_func(f"transpose_eight_{width}_meaning") as tir:
        quarter, chunks, length = (tir.dim(n) for n in ("quarter", "chunks", "length"))
        v = tir.tensor("v", (length,), "int8")
        halves = [tir.tensor(n, (chunks, COLUMNS, LANES), "int8") for n in ("first", "second")]
        with (
            tir.loop("t", chunks) as t,
            tir.loop("c", COLUMNS) as c,
            tir.loop("i", COLUMNS) as i,
            tir.loop("j", COLUMNS) as j,
        ):
            for half, values in enumerate(halves):
                key = t * COLUMNS + j + i * quarter
                tir.store(values, (t, c, i * COLUMNS + j), v[key * width + c + half * COLUMNS])
    dims = ("quarter", "chunks", "length")
    return intrinsic(f"te_mve_transpose_eight_{width}", types, body, tir.prim_func, dims)


def _transposing(width: int) -> Iterator[str]:
    """Yield the loop; q6 and q7 have where the words of four keys lie."""
    yield "mov r0, #0"
    yield "vidup.u32 q6, r0, #1"
    yield f"mov r0, #{width}"
    yield "vmul.i32 q6, q6, r0"
    yield f"mov r0, #{COLUMNS}"
    yield "vadd.i32 q7, q6, r0"
    yield "dls lr, {chunks}"
    yield "1:"
    for offsets, values in ((6, "first"), (7, "second")):
        for register in range(COLUMNS):
            yield f"vldrw.u32 q{register}, [{{v{register}}}, q{offsets}]"
        yield f"vstmia {{{values}}}, {{{{d0-d7}}}}"
        for register in range(COLUMNS):
            yield f"vld4{register}.8 {{{{q0, q1, q2, q3}}}}, [{{{values}}}]"
        yield f"vstmia {{{values}}}!, {{{{d0-d7}}}}"
        yield f"vadd.i32 q{offsets}, q{offsets}, {{stride}}"
    yield "le lr, 1b"


@cache
def weigh_sixteen() -> Intrinsic:
    """Return the intrinsic that makes weights of scores, which need no shift.

    Parameters: ``scores`` int32 (8 * groups, 2 rows, 4), ``mask`` int8 (32 * groups) in the order
    of the bytes, not 0 where a weight is 0; ``table`` int8 (256); ``offset``, added to distances;
    ``multiplier``; ``weights`` int8 (groups, 2 rows, 32), ``totals`` int32 (2), ``groups``.
    """
    types = {
        "scores": "const int32_t *",
        "mask": "const int8_t *",
        "table": "const int8_t *",
        "offset": "int32_t",
        "multiplier": "int32_t",
        "weights": "int8_t *",
        "totals": "int32_t *",
        "groups": "int32_t",
    }
    largest = assembly(_largest(), ["s", "m", "top0", "top1"], {"steps": "groups * 2"})
    given = {"table": "table", "multiplier": "multiplier", "groups": "groups"}
    changed = ["scores", "mask", "weights", "top0", "top1"]
    body = (
        "  const int32_t *s = scores;\n  const int8_t *m = mask;\n"
        "  int32_t top0 = INT32_MIN, top1 = INT32_MIN;\n"
        f"{largest}"
        "  top0 = (int32_t)((uint32_t)top0 + (uint32_t)offset);\n"
        "  top1 = (int32_t)((uint32_t)top1 + (uint32_t)offset);\n"
        f"{assembly(_weighing(), changed, given)}"
        "  totals[0] = top0;\n  totals[1] = top1;\n"
    )
    return intrinsic("te_mve_weigh_sixteen", types, body, _weighed(), ("groups",))


def _largest() -> Iterator[str]:
    """Yield the search for the largest scores; a mask that hides something is looked at."""
    yield "dls lr, {steps}"
    yield "1:"
    yield "vldrb.u8 q0, [{m}], #16"
    yield "vmov.i32 q1, #0"
    yield "vcmp.i8 ne, q0, q1"
    yield "vmrs r0, p0"
    yield "cbnz r0, 2f"
    yield "vldmia {s}!, {{d0-d15}}"
    for vector in range(2 * COLUMNS):
        yield f"vmaxv.s32 {{top{vector % 2}}}, q{vector}"
    yield "le lr, 1b"
    yield "b 4f"
    yield "2:"
    yield "sub {m}, #16"
    yield "mov r0, #0"
    yield "vidup.u32 q3, r0, #4"
    yield f"add r2, {{m}}, #{COLUMNS}"
    yield "3:"
    yield "vldrb.u32 q0, [{m}, q3]"
    yield "vldrw.u32 q2, [{s}, #16]"
    yield f"vldrw.u32 q1, [{{s}}], #{2 * _ROW_BYTES}"
    yield "vptt.i32 eq, q0, zr"
    yield "vmaxvt.s32 {top0}, q1"
    yield "vmaxvt.s32 {top1}, q2"
    yield "add {m}, #1"
    yield "cmp {m}, r2"
    yield "bne 3b"
    yield f"add {{m}}, #{LANES - COLUMNS}"
    yield "le lr, 1b"
    yield "4:"


def _weighing() -> Iterator[str]:
    """Yield the weights of all groups; the rows' totals are in r0 and r2, then in the tops."""
    yield "vdup.32 q6, {top0}"
    yield "vdup.32 q7, {top1}"
    yield "vdup.32 q5, {multiplier}"
    yield "mov r0, #0"
    yield "mov r2, #0"
    yield "dls lr, {groups}"
    yield "1:"
    for chunk in range(GROUP // LANES):
        yield from _weigh_chunk(chunk * LANES)
    yield f"add {{weights}}, #{ROWS * GROUP}"
    yield "le lr, 1b"
    yield "mov {top0}, r0"
    yield "mov {top1}, r2"


def _weigh_chunk(at: int) -> Iterator[str]:
    """Yield the weights of sixteen positions: q0 and q1 have the bytes of either row."""
    yield "vldmia {scores}!, {{d0-d7}}"
    for register in range(4):
        yield from _distance(register, register % 2)
        yield f"vqmovnb.s32 q{register}, q{register}"
    for register in range(4):
        yield "vldrw.u32 q4, [{scores}], #16"
        yield from _distance(4, register % 2)
        yield f"vqmovnt.s32 q{register}, q4"
    for row in range(ROWS):
        yield f"vqmovunb.s16 q{row}, q{row}"
        yield f"vqmovunt.s16 q{row}, q{row + 2}"
    yield "vldrb.u8 q4, [{mask}], #16"
    yield "vptt.i8 eq, q4, zr"
    yield "vldrbt.u8 q2, [{table}, q0]"
    yield "vldrbt.u8 q3, [{table}, q1]"
    for row in range(ROWS):
        yield f"vaddva.s8 r{2 * row}, q{2 + row}"
        yield f"vstrb.8 q{2 + row}, [{{weights}}, #{at + GROUP * row}]"


def _distance(register: int, row: int) -> Iterator[str]:
    yield f"vsub.i32 q{register}, q{6 + row}, q{register}"
    yield f"vmulh.s32 q{register}, q{register}, q5"


def _weighed() -> Any:
    with prim_func("weigh_sixteen_meaning") as tir:
        groups = tir.dim("groups")
        scores = tir.tensor("scores", (groups * 8, ROWS, COLUMNS), "int32")
        mask = tir.tensor("mask", (groups * GROUP,), "int8")
        table = tir.tensor("table", (256,), "int8")
        offset, multiplier = tir.scalar("offset"), tir.scalar("multiplier")
        weights = tir.tensor("weights", (groups, ROWS, GROUP), "int8")
        totals = tir.tensor("totals", (ROWS,), "int32")
        top = tir.local("top", "int32")
        for row in range(ROWS):
            _find_top(tir, (scores, row), mask, top, groups)
            tir.store(totals, row, 0)
            with tir.loop("p", groups * GROUP) as p:
                at = byte_of(p)
                score = scores[T.truncdiv(p, COLUMNS), row, p % COLUMNS]
                place = (T.truncdiv(at, GROUP), row, at % GROUP)
                tir.store(weights, place, T.int8(0))
                with tir.when(mask[at] == 0):
                    steps = multiply_high(top[0] - score + offset, multiplier)
                    tir.store(weights, place, table[T.min(steps, 255)])
                tir.store(totals, row, totals[row] + widened(weights[place]))
    return tir.prim_func


def _find_top(
    tir: Tir, scores: tuple[Buffer, int], mask: Buffer, top: Buffer, groups: Expr
) -> None:
    buffer, row = scores
    tir.store(top, 0, T.int32(-(2**31)))
    with tir.loop("p", groups * GROUP) as p, tir.when(mask[byte_of(p)] == 0):
        tir.store(top, 0, T.max(top[0], buffer[T.truncdiv(p, COLUMNS), row, p % COLUMNS]))
