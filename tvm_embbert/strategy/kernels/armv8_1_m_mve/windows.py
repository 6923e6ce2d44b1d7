"""Windows of a causal convolution: the rows of four channels at a time, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.armv8_1_m_mve.assembly import LANES, assembly, intrinsic
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.tir import prim_func

CHANNELS = 4


@cache
def gather_window(window: int, groups: int) -> Intrinsic:
    """Return the intrinsic that brings the rows of `groups` times four channels side by side.

    Parameters: ``x`` int8 (length) from the first channel on, at whole words; ``places`` int32
    (window), bytes from there to each row, below 0 where the row is zero; ``result`` int8 (4
    * groups, window), ``length``.
    """
    types = {
        "x": "const int8_t *",
        "places": "const int32_t *",
        "result": "int8_t *",
        "length": "int32_t",
    }
    name = f"te_mve_gather_window_{window}{f'_{groups}' * (groups > 1)}"
    lines = list(_gathering(window))
    changed, given = ["places", "result"], {"x": "x", "taken": "taken"}
    body = "  int32_t taken[16];\n  (void)length;\n"
    if groups > 1:
        changed, given = ["places", "result", "x", "left"], {"taken": "taken"}
        lines = list(_gathering_groups(window, lines))
        body += f"  int32_t left = {groups};\n"
    body += assembly(lines, changed, given)
    with prim_func(f"gather_window_{window}_meaning") as tir:
        length = tir.dim("length")
        x = tir.tensor("x", (length,), "int8")
        places = tir.tensor("places", (window,), "int32")
        channels = CHANNELS * groups
        result = tir.tensor("result", (channels, window), "int8")
        with tir.loop("c", channels) as c, tir.loop("p", window) as p:
            value = x[T.max(places[p], 0) + c]
            tir.store(result, (c, p), T.if_then_else(places[p] < 0, T.int8(0), value))
    return intrinsic(name, types, body, tir.prim_func, ("length",))


def _gathering(window: int) -> Iterator[str]:
    yield f"mov lr, #{window // LANES}"
    yield "dls lr, lr"
    yield "1:"
    for register in range(4):
        yield "vldrw.u32 q4, [{places}], #16"
        yield "vpt.s32 ge, q4, zr"
        yield f"vldrwt.u32 q{register}, [{{x}}, q4]"
    yield from _take_apart(window)
    yield "le lr, 1b"


def _take_apart(window: int) -> Iterator[str]:
    """Yield the steps that store words of 16 rows by channels."""
    yield "vstmia {taken}, {{d0-d7}}"
    for register in range(4):
        yield f"vld4{register}.8 {{{{q0, q1, q2, q3}}}}, [{{taken}}]"
    for register in (1, 2, 3):
        yield f"vstrw.32 q{register}, [{{result}}, #{register * window}]"
    yield "vstrw.32 q0, [{result}], #16"


def _gathering_groups(window: int, lines: Iterable[str]) -> Iterator[str]:
    """Yield the loop over groups of four channels around that over the rows."""
    yield "2:"
    yield from lines
    yield "add {x}, #4"
    yield f"sub {{places}}, #{4 * window}"
    yield f"add {{result}}, #{(CHANNELS - 1) * window}"
    yield "subs {left}, #1"
    yield "bne 2b"


@cache
def gather_rows(window: int, groups: int, step: int) -> Intrinsic:
    """Return the intrinsic that brings rows side by side that follow each other.

    Parameters: ``x`` int8 (length) from the first row's first channel on, at whole words; a row
    has `step` bytes; ``result`` int8 (4 * groups, window), ``length``.
    """
    types = {"x": "const int8_t *", "result": "int8_t *", "length": "int32_t"}
    name = f"te_mve_gather_rows_{window}_{groups}_{step}"
    body = f"  int32_t taken[16], left = {groups};\n  (void)length;\n"
    given = {"taken": "taken", "step": str(step), "back": str(window * step - 4)}
    lines = _gathering_rows(window, step)
    body += assembly(lines, ["x", "result", "left"], given)
    with prim_func(f"gather_rows_{window}_meaning") as tir:
        length = tir.dim("length")
        x = tir.tensor("x", (length,), "int8")
        result = tir.tensor("result", (CHANNELS * groups, window), "int8")
        with tir.loop("c", CHANNELS * groups) as c, tir.loop("p", window) as p:
            tir.store(result, (c, p), x[p * step + c])
    return intrinsic(name, types, body, tir.prim_func, ("length",))


def _gathering_rows(window: int, step: int) -> Iterator[str]:
    yield "mov r0, #0"
    yield "vidup.u32 q4, r0, #1"
    yield "vmul.i32 q4, q4, {step}"
    yield "2:"
    yield f"mov lr, #{window // LANES}"
    yield "dls lr, lr"
    yield "1:"
    for register in range(4):
        yield f"vldrw.u32 q{register}, [{{x}}, q4]"
        yield "add {x}, {x}, {step}, lsl #2"
    yield from _take_apart(window)
    yield "le lr, 1b"
    yield "sub {x}, {x}, {back}"
    yield f"add {{result}}, #{(CHANNELS - 1) * window}"
    yield "subs {left}, #1"
    yield "bne 2b"
