"""Weighted sums of values: eight channels of all keys side by side, then products with weights.

Values come by keys, and VMLADAVA wants a channel's bytes of 16 keys: four words of four channels
each are gathered, and VLD4 takes them apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from tvm_embbert.strategy.kernels.arithmetic import requantize, widened
from tvm_embbert.strategy.kernels.armv8_1_m_mve.assembly import (
    LANES,
    SUMS,
    assembly,
    interleaved,
    intrinsic,
)
from tvm_embbert.strategy.kernels.armv8_1_m_mve.dot import COLUMNS, ROWS, products
from tvm_embbert.strategy.kernels.armv8_1_m_mve.weights import GROUP
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func

BLOCKS = 2
"""Blocks of four channels that are computed together."""
CHANNELS = BLOCKS * COLUMNS
_ALL = "{{" + ",".join(SUMS) + "}}"


@cache
def transpose(width: int) -> Intrinsic:
    """Return the intrinsic that brings four channels of keys together, 16 keys at a time.

    Parameters: ``v`` int8 (length) from its first channel on, at whole words; ``places`` int16
    (16), the keys of the first chunk, 4 less than those of the next; ``values`` int8 (chunks, 4,
    16), ``chunks``, ``length``. A key has `width` bytes.
    """
    types = {
        "v": "const int8_t *",
        "places": "const int16_t *",
        "values": "void *",
        "chunks": "int32_t",
        "length": "int32_t",
    }
    name = f"te_mve_transpose_{width}"
    body = "  (void)length;\n" + assembly(
        _transposing(), ["v", "places", "values"], {"chunks": "chunks", "width": str(width)}
    )
    with prim_func(f"transpose_{width}_meaning") as tir:
        chunks, length = tir.dim("chunks"), tir.dim("length")
        v = tir.tensor("v", (length,), "int8")
        places = tir.tensor("places", (LANES,), "int16")
        values = tir.tensor("values", (chunks, COLUMNS, LANES), "int8")
        with (
            tir.loop("t", chunks) as t,
            tir.loop("c", COLUMNS) as c,
            tir.loop("j", LANES) as j,
        ):
            tir.store(values, (t, c, j), v[(t * 4 + widened(places[j])) * width + c])
    return intrinsic(name, types, body, tir.prim_func, ("chunks", "length"))


def _transposing() -> Iterator[str]:
    for register in range(4, 8):
        yield f"vldrh.u32 q{register}, [{{places}}], #8"
        yield f"vmul.i32 q{register}, q{register}, {{width}}"
    yield "dls lr, {chunks}"
    yield "1:"
    for register in range(4):
        yield f"vldrw.u32 q{register}, [{{v}}, q{4 + register}]"
    yield "vstmia {values}, {{d0-d7}}"
    for register in range(4):
        yield f"vld4{register}.8 {{{{q0, q1, q2, q3}}}}, [{{values}}]"
    yield "vstmia {values}!, {{d0-d7}}"
    yield "add {v}, {v}, {width}, lsl #2"
    yield "le lr, 1b"


@cache
def mix(unroll: int = 2) -> Intrinsic:
    """Return the intrinsic that adds products of weights and values to sums.

    The loop takes `unroll` groups a turn.

    Parameters: ``weights`` int8 (pairs, groups, 2 rows, 32), ``values`` int8 (2 blocks, 2 * groups,
    4, 16) at whole words, ``sums`` int32 (pairs, 2 blocks, 2 rows, 4), ``groups``, ``pairs``.
    """
    types = {
        "weights": "const int8_t *",
        "values": "const void *",
        "sums": "void *",
        "groups": "int32_t",
        "pairs": "int32_t",
    }
    changed = ["weights", "values", "sums", "pairs", "left"]
    body = f"  const int32_t size = groups * {ROWS * GROUP};\n  int32_t left = size;\n"
    lines = _mixing() if unroll == 2 else _mixing_unrolled(unroll)
    body += assembly(lines, changed, {"size": "size"})
    name = f"te_mve_mix{f'_{unroll}' * (unroll != 2)}"
    meaning = _mixed()
    return intrinsic(name, types, body, meaning, ("groups", "pairs"))


def _mixing() -> Iterator[str]:
    """Yield the loops; that over groups is entered in the middle where their number is odd."""
    size = ROWS * GROUP
    yield "1:"
    for block in range(BLOCKS):
        first, second = 2 + 2 * block, 3 + 2 * block
        yield f"ldmia {{sums}}, {_ALL}"
        yield "mov {left}, {size}"
        yield f"tst {{size}}, #{size}"
        yield f"bne {second}f"
        yield f"{first}:"
        yield from _mix_group()
        yield f"{second}:"
        yield from _mix_group()
        yield f"subs {{left}}, #{2 * size}"
        yield f"bgt {first}b"
        yield f"stmia {{sums}}!, {_ALL}"
        if block < BLOCKS - 1:
            yield "sub {weights}, {size}"
    yield "sub {values}, {values}, {size}, lsl #2"
    yield "subs {pairs}, #1"
    yield "bne 1b"


def _mixing_unrolled(unroll: int) -> Iterator[str]:
    """Yield the loops; groups that do not fill a turn come first."""
    size = ROWS * GROUP
    yield "1:"
    for block in range(BLOCKS):
        main, rest, end = (f"{3 * block + n}" for n in (2, 3, 4))
        yield f"ldmia {{sums}}, {_ALL}"
        yield "mov {left}, {size}"
        yield f"tst {{left}}, #{size * (unroll - 1)}"
        yield f"beq {main}f"
        yield f"{rest}:"
        yield from _mix_group()
        yield f"sub {{left}}, #{size}"
        yield f"tst {{left}}, #{size * (unroll - 1)}"
        yield f"bne {rest}b"
        yield "cmp {left}, #0"
        yield f"beq {end}f"
        yield f"{main}:"
        for _ in range(unroll):
            yield from _mix_group()
        yield f"subs {{left}}, #{unroll * size}"
        yield f"bne {main}b"
        yield f"{end}:"
        yield f"stmia {{sums}}!, {_ALL}"
        if block < BLOCKS - 1:
            yield "sub {weights}, {size}"
    yield "sub {values}, {values}, {size}, lsl #2"
    yield "subs {pairs}, #1"
    yield "bne 1b"


def _mix_group() -> Iterator[str]:
    yield "vldmia {weights}!, {{d0-d7}}"
    for vector in range(2):
        yield "vldmia {values}!, {{d8-d15}}"
        for row in range(ROWS):
            yield from products(row, 2 * row + vector)


def _mixed() -> Any:
    with prim_func("mix_meaning") as tir:
        groups, pairs = tir.dim("groups"), tir.dim("pairs")
        weights = tir.tensor("weights", (pairs, groups, ROWS, GROUP), "int8")
        values = tir.tensor("values", (BLOCKS, groups * 2, COLUMNS, LANES), "int8")
        sums = tir.tensor("sums", (pairs, BLOCKS, ROWS, COLUMNS), "int32")
        with (
            tir.loop("p", pairs) as p,
            tir.loop("b", BLOCKS) as b,
            tir.loop("i", ROWS) as i,
            tir.loop("c", COLUMNS) as c,
            tir.loop("g", groups) as g,
            tir.loop("j", GROUP) as j,
        ):
            value = values[b, g * 2 + j // LANES, c, j % LANES]
            product = widened(weights[p, g, i, j]) * widened(value)
            tir.store(sums, (p, b, i, c), sums[p, b, i, c] + product)
    return tir.prim_func


@cache
def finish(shift: int, multiple: bool = False) -> Intrinsic:
    """Return the intrinsic that stores contexts of eight channels, and prepares the next sums.

    With `multiple`, a load or store takes four vectors.

    Parameters: ``sums`` int32 (pairs, 2 blocks, 2 rows, 4), ``scales`` int32 (pairs, 4): the
    multipliers and then the rounding offsets of two rows; ``result`` int8 (2 * pairs, step),
    ``step``, ``pairs``. The sums then hold the offsets.
    """
    types = {
        "sums": "void *",
        "scales": "const int32_t *",
        "result": "int8_t *",
        "step": "int32_t",
        "pairs": "int32_t",
    }
    name = f"te_mve_finish_{shift}{'_multiple' * multiple}"
    read = {"step": "step", "pairs": "pairs"}
    body = assembly(_finishing(shift, multiple), ["sums", "scales", "result"], read)
    return intrinsic(name, types, body, _finished(shift), ("step", "pairs"))


def _finishing(shift: int, multiple: bool) -> Iterator[str]:
    yield from interleaved("q6")
    yield "dls lr, {pairs}"
    yield "1:"
    if multiple:
        yield "vldmia {sums}, {{d4-d11}}"
    else:
        for register in range(2, 6):
            yield f"vldrw.u32 q{register}, [{{sums}}, #{16 * (register - 2)}]"
    yield "ldrd r0, r2, [{scales}], #8"
    yield "vdup.32 q0, r0"
    yield "vdup.32 q1, r2"
    for register in range(2, 6):
        if shift:
            yield f"vshl.i32 q{register}, q{register}, #{shift}"
        yield f"vmulh.s32 q{register}, q{register}, q{register % 2}"
    for register in (2, 3):
        yield f"vqmovnb.s32 q{register}, q{register}"
        yield f"vqmovnt.s32 q{register}, q{register + 2}"
        yield f"vqmovnb.s16 q{register}, q{register}"
        yield f"vstrb.16 q{register}, [{{result}}, q6]"
        yield "add {result}, {step}"
    yield from _begin_four() if multiple else _begin_pair()
    yield "le lr, 1b"


def _begin_four() -> Iterator[str]:
    yield "ldrd r0, r2, [{scales}], #8"
    for register in range(4):
        yield f"vdup.32 q{register}, r{register % 2 * 2}"
    yield "vstmia {sums}!, {{d0-d7}}"


def _begin_pair() -> Iterator[str]:
    yield "ldrd r0, r2, [{scales}], #8"
    yield "vdup.32 q0, r0"
    yield "vdup.32 q1, r2"
    for register in (0, 1, 0, 1):
        yield f"vstrw.32 q{register}, [{{sums}}], #16"


@cache
def begin() -> Intrinsic:
    """Return the intrinsic that begins sums with the rounding offsets.

    Parameters: ``scales`` and ``sums`` as :func:`finish` has them, ``pairs``.
    """
    types = {"scales": "const int32_t *", "sums": "void *", "pairs": "int32_t"}
    lines = ["dls lr, {pairs}", "1:", "add {scales}, #8", *_begin_pair(), "le lr, 1b"]
    body = assembly(lines, ["scales", "sums"], {"pairs": "pairs"})
    with prim_func("begin_meaning") as tir:
        pairs = tir.dim("pairs")
        scales = tir.tensor("scales", (pairs, 2 * ROWS), "int32")
        sums = tir.tensor("sums", (pairs, BLOCKS, ROWS, COLUMNS), "int32")
        with (
            tir.loop("p", pairs) as p,
            tir.loop("b", BLOCKS) as b,
            tir.loop("i", ROWS) as i,
            tir.loop("c", COLUMNS) as c,
        ):
            tir.store(sums, (p, b, i, c), scales[p, ROWS + i])
    name = "te_mve_begin"
    return intrinsic(name, types, body, tir.prim_func, ("pairs",))


def _finished(shift: int) -> Any:
    with prim_func(f"finish_{shift}_meaning") as tir:
        step, pairs = tir.dim("step"), tir.dim("pairs")
        sums = tir.tensor("sums", (pairs, BLOCKS, ROWS, COLUMNS), "int32")
        scales = tir.tensor("scales", (pairs, 2 * ROWS), "int32")
        result = tir.tensor("result", (ROWS * pairs, step), "int8")
        with tir.loop("p", pairs) as p, tir.loop("c", CHANNELS) as c:
            for row in range(ROWS):
                _finish_element(tir, (sums, scales, result), (p, row, c), shift)
    return tir.prim_func


def _finish_element(
    tir: Tir, buffers: tuple[Buffer, Buffer, Buffer], place: tuple[Expr, int, Expr], shift: int
) -> None:
    sums, scales, result = buffers
    p, row, c = place
    at = (p, c // COLUMNS, row, c % COLUMNS)
    scaled = requantize(sums[at], scales[p, row], shift, "int8")
    tir.store(result, (p * ROWS + row, c), scaled)
    tir.store(sums, at, scales[p, ROWS + row])
