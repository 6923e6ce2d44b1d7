"""Weights of two rows of scores, and the mask in the order of the scores.

Weights are packed as rows are for products with packed columns: 32 of the first row, 32 of the
second.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import multiply_high, shift_left, widened
from tvm_embbert.strategy.kernels.armv8_1_m_mve.assembly import assembly, intrinsic
from tvm_embbert.strategy.kernels.armv8_1_m_mve.dot import COLUMNS, ROWS
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func

GROUP = 32
"""Positions of a row that are packed together."""
_UNROLLED = 4


@cache
def order_mask() -> Intrinsic:
    """Return the intrinsic that brings a mask over keys to the order of the scores.

    Parameters: ``hidden`` bool (4 * quarter), ``mask`` int8 (4 * quarter), ``quarter``.
    """
    types = {"hidden": "const void *", "mask": "int8_t *", "quarter": "int32_t"}
    lines = [
        "mov r0, #0",
        "vidup.u32 q0, r0, #1",
        "vmul.i32 q0, q0, {quarter}",
        "dls lr, {quarter}",
        "1:",
        "vldrb.u32 q1, [{hidden}, q0]",
        "add {hidden}, #1",
        "vstrb.32 q1, [{mask}], #4",
        "le lr, 1b",
    ]
    body = assembly(lines, ["hidden", "mask"], {"quarter": "quarter"})
    with prim_func("order_mask_meaning") as tir:
        quarter = tir.dim("quarter")
        hidden = tir.tensor("hidden", (COLUMNS * quarter,), "bool")
        mask = tir.tensor("mask", (quarter, COLUMNS), "int8")
        with tir.loop("b", quarter) as b, tir.loop("i", COLUMNS) as i:
            tir.store(mask, (b, i), T.Cast("int8", hidden[b + i * quarter]))
    name = "te_mve_order_mask"
    return intrinsic(name, types, body, tir.prim_func, ("quarter",))


@cache
def weigh(shift: int) -> Intrinsic:
    """Return the intrinsic that makes weights of scores.

    Parameters: ``scores`` int32 (8 * groups, 2 rows, 4), ``mask`` int8 (32 * groups), not 0 where a
    weight is 0; ``table`` int8 (256); ``offset``, added to distances; where there is a shift
    ``limit``, the largest distance told from others; ``multiplier``; ``weights`` int8 (groups,
    2 rows, 32), ``totals`` int32 (2), ``groups``.
    """
    types = {
        "scores": "const int32_t *",
        "mask": "const int8_t *",
        "table": "const int8_t *",
        "offset": "int32_t",
        **({"limit": "int32_t"} if shift else {}),
        "multiplier": "int32_t",
        "weights": "int8_t *",
        "totals": "int32_t *",
        "groups": "int32_t",
    }
    name = f"te_mve_weigh_{shift}"
    largest = assembly(_largest(), ["s", "m", "top0", "top1"], {"steps": "groups * 2"})
    given = {"table": "table", "multiplier": "multiplier"}
    given |= {"limit": "limit + offset"} if shift else {}
    made = assembly(
        _weighing(shift), ["scores", "mask", "weights", "groups", "top0", "top1"], given
    )
    body = (
        "  const int32_t *s = scores;\n  const int8_t *m = mask;\n"
        "  int32_t top0 = INT32_MIN, top1 = INT32_MIN;\n"
        f"{largest}"
        "  top0 = (int32_t)((uint32_t)top0 + (uint32_t)offset);\n"
        "  top1 = (int32_t)((uint32_t)top1 + (uint32_t)offset);\n"
        f"{made}"
        "  totals[0] = top0;\n  totals[1] = top1;\n"
    )
    return intrinsic(name, types, body, _weighed(shift), ("groups",))


def _largest() -> Iterator[str]:
    """Yield the search for the largest score of each row that the mask leaves."""
    yield "dls lr, {steps}"
    yield "1:"
    for _ in range(_UNROLLED):
        yield from _load_scores()
        yield "vptt.i32 eq, q0, zr"
        yield "vmaxvt.s32 {top0}, q1"
        yield "vmaxvt.s32 {top1}, q2"
    yield "le lr, 1b"


def _load_scores(scores: str = "s", mask: str = "m") -> Iterator[str]:
    yield f"vldrb.u32 q0, [{{{mask}}}], #4"
    yield f"vldrw.u32 q2, [{{{scores}}}, #16]"
    yield f"vldrw.u32 q1, [{{{scores}}}], #32"


def _weighing(shift: int) -> Iterator[str]:
    """Yield the weights of all groups; the rows' totals are in r12 and lr, then in the tops."""
    yield "vdup.32 q6, {top0}"
    yield "vdup.32 q7, {top1}"
    yield "vdup.32 q5, {multiplier}"
    if shift:
        yield "vdup.32 q3, {limit}"
    yield "vmov.i32 q4, #255"
    yield "mov r12, #0"
    yield "mov lr, #0"
    yield "1:"
    for _ in range(GROUP // COLUMNS):
        yield from _weigh_four(shift)
    yield "sub {weights}, #32"
    yield "vldmia {weights}!, {{d0-d7}}"
    for register, total in enumerate(("r12", "r12", "lr", "lr")):
        yield f"vaddva.s8 {total}, q{register}"
    if shift:  # q3 held the limit
        yield "vdup.32 q3, {limit}"
    yield "subs {groups}, #1"
    yield "bne 1b"
    yield "mov {top0}, r12"
    yield "mov {top1}, lr"


def _weigh_four(shift: int) -> Iterator[str]:
    yield from _load_scores("scores", "mask")
    for register in (1, 2):
        yield f"vsub.i32 q{register}, q{5 + register}, q{register}"
        if shift:
            yield f"vmin.s32 q{register}, q{register}, q3"
            yield f"vshl.i32 q{register}, q{register}, #{shift}"
        yield f"vmulh.s32 q{register}, q{register}, q5"
        yield f"vmin.s32 q{register}, q{register}, q4"
    yield "vptt.i32 eq, q0, zr"
    yield "vldrbt.u32 q0, [{table}, q1]"
    yield "vldrbt.u32 q1, [{table}, q2]"
    yield "vstrb.32 q0, [{weights}], #4"
    yield f"vstrb.32 q1, [{{weights}}, #{GROUP - 4}]"


def _weighed(shift: int) -> Any:
    with prim_func(f"weigh_{shift}_meaning") as tir:
        groups = tir.dim("groups")
        scores = tir.tensor("scores", (groups * 8, ROWS, COLUMNS), "int32")
        mask = tir.tensor("mask", (groups * GROUP,), "int8")
        table = tir.tensor("table", (256,), "int8")
        offset = tir.scalar("offset")
        limit = tir.scalar("limit") if shift else None
        multiplier = tir.scalar("multiplier")
        weights = tir.tensor("weights", (groups, ROWS, GROUP), "int8")
        totals = tir.tensor("totals", (ROWS,), "int32")
        top = tir.local("top", "int32")
        for row in range(ROWS):
            _find_top(tir, (scores, row), mask, top, groups)
            tir.store(totals, row, 0)
            with tir.loop("p", groups * GROUP) as p:
                with tir.when(mask[p] == 0):
                    score = scores[T.truncdiv(p, COLUMNS), row, p % COLUMNS]
                    distance = T.min(top[0] - score, limit) if limit is not None else top[0] - score
                    steps = multiply_high(shift_left(distance + offset, shift), multiplier)
                    weight = widened(table[T.min(steps, 255)])
                    tir.store(totals, row, totals[row] + weight)
                place = (T.truncdiv(p, GROUP), row, p % GROUP)
                _store_weight(tir, (weights, place), table, (mask[p], steps))
    return tir.prim_func


def _find_top(
    tir: Tir, scores: tuple[Buffer, int], mask: Buffer, top: Buffer, groups: Expr
) -> None:
    buffer, row = scores
    tir.store(top, 0, T.int32(-(2**31)))
    with tir.loop("p", groups * GROUP) as p, tir.when(mask[p] == 0):
        tir.store(top, 0, T.max(top[0], buffer[T.truncdiv(p, COLUMNS), row, p % COLUMNS]))


def _store_weight(
    tir: Tir, place: tuple[Buffer, Any], table: Buffer, value: tuple[Expr, Expr]
) -> None:
    weights, at = place
    hidden, steps = value
    weight = T.if_then_else(hidden == 0, table[T.min(steps, 255)], T.int8(0))
    tir.store(weights, at, weight)
