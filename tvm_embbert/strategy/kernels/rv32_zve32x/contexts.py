"""The context of a row: its weights times the values, by blocks of channels."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from tvm_embbert.strategy.kernels.arithmetic import requantize, widened
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.rv32_zve32x.assembly import assembly, intrinsic
from tvm_embbert.strategy.kernels.rv32_zve32x.channels import (
    PRODUCTS,
    add_products,
    all_channels,
    block_channels,
    store_narrowed,
)
from tvm_embbert.strategy.kernels.tir import prim_func


@cache
def mix(width: int, shift: int, unroll: int) -> Intrinsic:
    """Return the intrinsic that makes the context of a row of `width` channels, up to 2047.

    The loop takes `unroll` keys a turn.

    Parameters: ``weights`` int8 (keys), none negative; ``v`` int8 (keys, width); ``inverse``, the
    multiplier; ``offset``, what the sums begin with; ``result`` int8 (width); ``keys``.
    """
    types = mix_types()
    name = f"te_rvv_mix_{width}_{shift}_{unroll}"
    read = {n: n for n in ("weights", "inverse", "offset", "keys")}
    body = assembly(_mixing(width, shift, unroll), ["v", "result"], read)
    return intrinsic(name, types, body, mix_meaning(width, shift), ("keys",))


def mix_types(memory: bool = False) -> dict[str, str]:
    """Return the parameters and their types, with memory for sums or without."""
    return {
        "weights": "const int8_t *",
        "v": "const int8_t *",
        "inverse": "int32_t",
        "offset": "int32_t",
        "result": "int8_t *",
        **({"sums": "int32_t *"} if memory else {}),
        "keys": "int32_t",
    }


def _mixing(width: int, shift: int, unroll: int) -> Iterator[str]:
    yield f"li t1, {width}"
    yield "1:"
    yield "vsetvli t0, t1, e8, m4, ta, ma"
    yield all_channels("e32, m8")
    yield "vmv.v.x v0, {offset}"
    yield "vmv.v.x v8, {offset}"
    yield "mv t2, {v}"
    yield "mv t3, {weights}"
    yield "add t4, {weights}, {keys}"
    yield from _rows(width, unroll)
    yield all_channels("e32, m8")
    for sums in (0, 8):
        if shift:
            yield f"vsll.vi v{sums}, v{sums}, {shift}"
        yield f"vmulh.vx v{sums}, v{sums}, {{inverse}}"
    yield from store_narrowed()
    yield "add {result}, {result}, t0"
    yield "add {v}, {v}, t0"
    yield "sub t1, t1, t0"
    yield "bnez t1, 1b"


def _rows(width: int, unroll: int) -> Iterator[str]:
    """Yield the loops over rows: t2 is the row, t3 its weight, t4 the end of the weights."""
    yield "2:"
    yield "sub t5, t4, t3"
    yield f"sltiu t5, t5, {unroll}"
    yield "bnez t5, 3f"
    for first in range(0, unroll, 2):
        yield from _add(width, (first, first + 1))
    yield f"addi t3, t3, {unroll}"
    yield "j 2b"
    yield "3:"
    yield "beq t3, t4, 4f"
    yield from _add(width, (0,))
    yield "addi t3, t3, 1"
    yield "j 3b"
    yield "4:"


def _add(width: int, rows: tuple[int, ...]) -> Iterator[str]:
    """Yield the sums of one row or two."""
    yield block_channels()
    for number, row in enumerate(rows):
        yield "vle8.v v24, (t2)"
        yield f"addi t2, t2, {width}"
        yield f"lb t5, {row}(t3)"
        operands = "t5, v24" if number else "v24, t5"
        yield f"{'vwmacc' if number else 'vwmul'}.vx v{PRODUCTS}, {operands}"
    yield from add_products()


def mix_meaning(width: int, shift: int, memory: bool = False) -> Any:
    """Return what :func:`mix` computes; memory has the sums in the end, of even channels first."""
    with prim_func(f"mix_{width}_{shift}_meaning") as tir:
        keys = tir.dim("keys")
        weights = tir.tensor("weights", (keys,), "int8")
        v = tir.tensor("v", (keys, width), "int8")
        inverse, offset = tir.scalar("inverse"), tir.scalar("offset")
        result = tir.tensor("result", (width,), "int8")
        sums = tir.tensor("sums", (width,), "int32") if memory else None
        total = tir.local("total", "int32")
        with tir.loop("c", width) as c:
            tir.store(total, 0, offset)
            with tir.loop("j", keys) as j:
                tir.accumulate(total, 0, widened(weights[j]) * widened(v[j, c]))
            if sums is not None:
                tir.store(sums, c % 2 * (width // 2) + c // 2, total[0])
            tir.store(result, c, requantize(total[0], inverse, shift, "int8"))
    return tir.prim_func
