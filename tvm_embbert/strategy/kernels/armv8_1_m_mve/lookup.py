"""An activation as a table: sixteen loads at once, by the bytes themselves as unsigned indices."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import widened
from tvm_embbert.strategy.kernels.armv8_1_m_mve.assembly import LANES, assembly, intrinsic
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic, address
from tvm_embbert.strategy.kernels.tir import prim_func
from tvm_embbert.strategy.knobs import Config, Knob
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel
from tvm_embbert.strategy.registry import register_implementation


@register_implementation
class MveLookup(Implementation):
    """The table begins with the entry of 0 and ends with that of -1; any width will do."""

    operator = "lookup"
    isa = "armv8.1-m-mve"
    priority = 20

    def knobs(self, call: IntegerCall) -> tuple[Knob, ...]:
        """Offer loads of four vectors, or of two, to rows that they divide."""
        channels = call.output.shape[-1]
        widest = next((n for n in (4, 2) if channels % (LANES * n) == 0), 1)
        return (Knob("vectors", (1, widest), 1),) if widest > 1 else ()

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel for the call's width."""
        x, table = call.args
        find = look_up(int(config.get("vectors", 1)))
        return Kernel(
            lookup(x.shape[-1], find),
            (np.roll(table, 128),),
            dims={"rows": call.rows},
            in_place=x.name,
            intrinsics=(find,),
        )


@cache
def look_up(vectors: int = 1) -> Intrinsic:
    """Return the intrinsic: ``x`` int8 (count), ``table`` int8 (256), ``result``, ``count``.

    The result may be in the place of ``x``. With two or four `vectors` a load, ``x`` and ``result``
    are at whole words, and `count` is a multiple of the bytes of a load.
    """
    types = {
        "x": "const int8_t *",
        "table": "const int8_t *",
        "result": "int8_t *",
        "count": "int32_t",
    }
    lines = _single() if vectors == 1 else _multiple(vectors)
    turns = "count" if vectors == 1 else f"count / {LANES * vectors}"
    body = assembly(lines, ["x", "result"], {"table": "table", "count": turns})
    with prim_func("look_up_meaning") as tir:
        count = tir.dim("count")
        x = tir.tensor("x", (count,), "int8")
        table = tir.tensor("table", (256,), "int8")
        result = tir.tensor("result", (count,), "int8")
        with tir.loop("i", count) as i:
            value = widened(x[i])
            tir.store(result, i, table[T.if_then_else(value < 0, value + 256, value)])
    name = f"te_mve_look_up{f'_{vectors}' * (vectors > 1)}"
    return intrinsic(name, types, body, tir.prim_func, ("count",))


def _single() -> Iterator[str]:
    """Yield a loop over vectors, the last one of which may not be full."""
    yield "wlstp.8 lr, {count}, 2f"
    yield "1:"
    yield "vldrb.u8 q0, [{x}], #16"
    yield "vldrb.u8 q1, [{table}, q0]"
    yield "vstrb.8 q1, [{result}], #16"
    yield "letp lr, 1b"
    yield "2:"


def _multiple(vectors: int) -> Iterator[str]:
    """Yield a loop that loads and stores several vectors at once."""
    yield "wls lr, {count}, 2f"
    yield "1:"
    yield f"vldmia {{x}}!, {{{{d0-d{2 * vectors - 1}}}}}"
    for vector in range(vectors):
        yield f"vldrb.u8 q{4 + vector}, [{{table}}, q{vector}]"
    yield f"vstmia {{result}}!, {{{{d8-d{7 + 2 * vectors}}}}}"
    yield "le lr, 1b"
    yield "2:"


def lookup(channels: int, find: Intrinsic) -> Any:
    """Return the PrimFunc."""
    with prim_func("lookup_mve") as tir:
        rows = tir.dim("rows")
        x = tir.tensor("x", (rows, channels), "int8")
        table = tir.tensor("table", (256,), "int8")
        result = tir.tensor("result", (rows, channels), "int8")
        elements = (address(x[0, 0]), address(table[0]), address(result[0, 0]))
        find(*elements, rows * channels)
    return tir.prim_func
