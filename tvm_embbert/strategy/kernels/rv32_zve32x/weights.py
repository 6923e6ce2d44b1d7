"""Weights of a row of scores: the distance to the largest one picks an entry of the table."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import multiply_high, shift_left, widened
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.rv32_zve32x.assembly import assembly, intrinsic
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func


@cache
def weigh(shift: int, masked: bool) -> Intrinsic:
    """Return the intrinsic that makes weights of scores.

    Parameters: ``scores`` int32 (keys); if `masked` ``hidden`` bool (keys), true where a weight is
    0; ``table`` int8 (256); ``offset``, added to distances; where there is a shift ``limit``, the
    largest distance told from others; ``multiplier``; ``weights`` int8 (keys), ``total`` int32 (1),
    their sum; ``keys``, at least 1.
    """
    types = {
        "scores": "const int32_t *",
        **({"hidden": "const void *"} if masked else {}),
        "table": "const int8_t *",
        "offset": "int32_t",
        **({"limit": "int32_t"} if shift else {}),
        "multiplier": "int32_t",
        "weights": "int8_t *",
        "total": "int32_t *",
        "keys": "int32_t",
    }
    name = f"te_rvv_weigh_{shift}{'_masked' * masked}"
    body = _body(shift, masked)
    return intrinsic(name, types, body, _weighed(shift, masked), ("keys",))


def _body(shift: int, masked: bool) -> str:
    hidden = ["hidden"] * masked
    largest = assembly(_largest(masked), ["s", *["h"] * masked, "left", "top"])
    given = {"table": "table", "top": "top", "multiplier": "multiplier", "last": "255"}
    given |= {"limit": "limit + offset"} if shift else {}
    changed = ["scores", *hidden, "weights", "sum", "keys"]
    return (
        "  const int32_t *s = scores;\n"
        f"{'  const void *h = hidden;' + chr(10) if masked else ''}"
        "  int32_t left = keys, top = INT32_MIN, sum = 0;\n"
        f"{largest}"
        "  top = (int32_t)((uint32_t)top + (uint32_t)offset);\n"
        f"{assembly(_weighing(shift, masked), changed, given)}"
        "  *total = sum;\n"
    )


def _largest(masked: bool) -> Iterator[str]:
    """Yield the search for the largest score that the mask leaves."""
    then = ", v0.t" if masked else ""
    yield "1:"
    yield "vsetvli t0, {left}, e8, m2, ta, ma"
    yield from _load_mask("h", masked)
    yield "vsetvli zero, zero, e32, m8, ta, ma"
    yield "vle32.v v8, ({s})"
    yield "vmv.s.x v16, {top}"
    yield f"vredmax.vs v16, v8, v16{then}"
    yield "vmv.x.s {top}, v16"
    yield "sub {left}, {left}, t0"
    yield "slli t0, t0, 2"
    yield "add {s}, {s}, t0"
    yield "bnez {left}, 1b"


def _load_mask(pointer: str, masked: bool) -> Iterator[str]:
    """Yield the mask of lanes that are seen."""
    if masked:
        yield f"vle8.v v2, ({{{pointer}}})"
        yield f"add {{{pointer}}}, {{{pointer}}}, t0"
        yield "vmseq.vi v0, v2, 0"


def _weighing(shift: int, masked: bool) -> Iterator[str]:
    """Yield the weights; what is hidden may lie above the largest, and loads nothing."""
    yield "vsetivli zero, 1, e16, m1, ta, ma"
    yield "vmv.v.i v6, 0"
    yield "1:"
    yield "vsetvli t0, {keys}, e8, m2, ta, ma"
    yield from _load_mask("hidden", masked)
    yield "vmv.v.i v4, 0"
    yield "vsetvli zero, zero, e32, m8, ta, ma"
    yield "vle32.v v8, ({scores})"
    yield "vrsub.vx v8, v8, {top}"
    if shift:
        yield "vmin.vx v8, v8, {limit}"
        yield f"vsll.vi v8, v8, {shift}"
    yield "vmulh.vx v8, v8, {multiplier}"
    yield "vminu.vx v8, v8, {last}"
    yield "vsetvli zero, zero, e8, m2, ta, mu"
    yield f"vluxei32.v v4, ({{table}}), v8{', v0.t' if masked else ''}"
    yield "vse8.v v4, ({weights})"
    yield "vwredsumu.vs v16, v4, v6"
    yield "vsetvli zero, zero, e16, m4, ta, ma"
    yield "vmv.x.s t1, v16"
    yield "add {sum}, {sum}, t1"
    yield "sub {keys}, {keys}, t0"
    yield "add {weights}, {weights}, t0"
    yield "slli t0, t0, 2"
    yield "add {scores}, {scores}, t0"
    yield "bnez {keys}, 1b"


def _weighed(shift: int, masked: bool) -> Any:
    with prim_func(f"weigh_{shift}_meaning") as tir:
        keys = tir.dim("keys")
        scores = tir.tensor("scores", (keys,), "int32")
        hidden = tir.tensor("hidden", (keys,), "bool") if masked else None
        table = tir.tensor("table", (256,), "int8")
        offset = tir.scalar("offset")
        limit = tir.scalar("limit") if shift else None
        multiplier = tir.scalar("multiplier")
        weights = tir.tensor("weights", (keys,), "int8")
        total = tir.tensor("total", (1,), "int32")
        top = tir.local("top", "int32")
        _find_top(tir, scores, hidden, top, keys)
        tir.store(total, 0, 0)
        with tir.loop("j", keys) as j:
            tir.store(weights, j, T.int8(0))
            distance = top[0] - scores[j]
            distance = distance if limit is None else T.min(distance, limit)
            steps = multiply_high(shift_left(distance + offset, shift), multiplier)
            with tir.when(True if hidden is None else T.Not(hidden[j])):
                tir.store(weights, j, table[T.min(steps, 255)])
            tir.accumulate(total, 0, widened(weights[j]))
    return tir.prim_func


def _find_top(tir: Tir, scores: Buffer, hidden: Buffer | None, top: Buffer, keys: Expr) -> None:
    tir.store(top, 0, T.int32(-(2**31)))
    with tir.loop("j", keys) as j, tir.when(True if hidden is None else T.Not(hidden[j])):
        tir.store(top, 0, T.max(top[0], scores[j]))
