"""Linear projection: two rows at a time, packed once for all outputs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.armv8_1_m_mve.assembly import LANES, assembly, intrinsic
from tvm_embbert.strategy.kernels.armv8_1_m_mve.dot import (
    COLUMNS,
    ROWS,
    dot,
    pack_columns,
    pack_rows,
    padded,
    segments,
)
from tvm_embbert.strategy.kernels.armv8_1_m_mve.requantization import (
    order,
    ordered,
    requantize_rows,
)
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic, address
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func
from tvm_embbert.strategy.knobs import Config, Knob
from tvm_embbert.strategy.linear import factors
from tvm_embbert.strategy.operator import Array, Implementation, IntegerCall, Kernel, Tensor
from tvm_embbert.strategy.registry import register_implementation

PART = Knob("part", (32, 64, 128, 256), 128)
"""Bytes of a row that are packed together: the loop over them is written out."""
INPUTS = Knob("inputs", ("apart", "joined"), "apart")
"""Whether a part may have pieces of several inputs."""
WALK = Knob("walk", ("forward", "turning"), "forward")
"""Whether each other block of columns meets the rows from their end."""
LOADS = Knob("loads", ("single", "multiple"), "single")
"""Vectors of sums and multipliers that a load takes."""


@register_implementation
class MveLinear(Implementation):
    """Needs two rows of sums and of packed inputs as scratch; a last odd row is computed twice."""

    operator = "linear"
    isa = "armv8.1-m-mve"
    priority = 20

    def reject(self, call: IntegerCall) -> str:
        """Take inputs of 8 bits."""
        wide = [str(x.dtype) for x in factors(call) if str(x.dtype) != "int8"]
        return f"VMLADAVA of bytes takes int8, not {wide[0]}" if wide else ""

    def knobs(self, call: IntegerCall) -> tuple[Knob, ...]:
        """Offer parts of other sizes, a walk to and fro over the rows, loads of several vectors."""
        return (PART, INPUTS, WALK, LOADS)

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Pack the weights by parts of the inputs, as the rows will be."""
        form = Form.of(call, config)
        *_, weight, bias, multiplier, _ = call.args
        tables = [x for x in factors(call) if isinstance(x, np.ndarray)]
        columns = ordered(weight)
        packed = [pack_columns(columns[:, k : k + n], form.turning) for k, n in form.parts]
        return Kernel(
            linear(form),
            (*tables, np.concatenate(packed), _start(bias), ordered(multiplier)),
            scratch=(
                Tensor("sums", (ROWS * form.columns,), "int32"),
                Tensor("packed", (ROWS * max(padded(n) for _, n in form.parts),), "int8"),
            ),
            row_block=ROWS,
            dims={"rows": call.rows},
            intrinsics=form.intrinsics,
            # A pair of rows is packed, all of its inputs, before its results are written.
            in_place=next((x.name for x in factors(call)[::-1] if isinstance(x, Tensor)), ""),
        )


def _start(bias: Array) -> Array:
    """Return what sums begin with: the bias for both rows, or rows of biases to pick from."""
    if bias.ndim == 2:
        return np.stack([ordered(row) for row in bias])
    return np.ascontiguousarray(np.repeat(ordered(bias).reshape(-1, 1, COLUMNS), ROWS, axis=1))


Piece = tuple[int, int, int]
"""An input's number, the first byte of a piece of it, and its bytes."""


@dataclass(frozen=True)
class Form:
    """What a kernel is specialised for; `inputs` are widths, and whether a constant."""

    inputs: tuple[tuple[int, bool], ...]
    outputs: int
    biases: int
    shift: int
    dtype: str
    part: int
    joined: bool
    turning: bool
    multiple: bool

    @staticmethod
    def of(call: IntegerCall, config: Config) -> Form:
        """Return the form of a call with values of its knobs."""
        *_, weight, bias, _, shift = call.args
        inputs = tuple((x.shape[-1], not isinstance(x, Tensor)) for x in factors(call))
        biases = len(bias) if bias.ndim == 2 else 0
        shape = (inputs, weight.shape[0], biases, shift, call.output.dtype)
        walk, loads = config["walk"] == "turning", config["loads"] == "multiple"
        joined = config["inputs"] == "joined"
        return Form(*shape, int(config["part"]), joined, walk, loads)

    @property
    def columns(self) -> int:
        """Return the outputs in whole groups."""
        return len(order(self.outputs))

    @property
    def pieces(self) -> list[list[Piece]]:
        """Return the pieces of the inputs that are packed together: up to a part's bytes.

        Rows are packed by pairs of vectors, so that a piece in front of another one fills them.
        """
        made: list[list[Piece]] = []
        room = 0
        for number, (width, _) in enumerate(self.inputs):
            for k, n in segments(width, self.part):
                if not (self.joined and 0 < padded(n) <= room):
                    made, room = [*made, []], self.part
                made[-1].append((number, k, n))
                room = room - n if n % (2 * LANES) == 0 else 0
        return made

    @property
    def parts(self) -> list[tuple[int, int]]:
        """Return first column of the weights and width of each part that is packed alone."""
        widths = [sum(n for *_, n in pieces) for pieces in self.pieces]
        return list(zip(np.cumsum([0, *widths[:-1]]).tolist(), widths, strict=True))

    def dot(self, width: int) -> Intrinsic:
        """Return the products of a part."""
        return dot(padded(width), self.turning)

    @property
    def requantize(self) -> Intrinsic:
        """Return the scaling of two rows."""
        return requantize_rows(self.outputs, self.shift, self.dtype, self.multiple)

    @property
    def intrinsics(self) -> tuple[Intrinsic, ...]:
        """Return the intrinsics of the parts and of the result."""
        packed = sorted({n for pieces in self.pieces for *_, n in pieces})
        made = [pack_rows(n) for n in packed]
        made += [self.dot(n) for n in sorted({n for _, n in self.parts})]
        made += [pick_biases()] if self.biases else []
        made.append(self.requantize)
        return tuple({i.name: i for i in made}.values())


@cache
def pick_biases() -> Intrinsic:
    """Return the intrinsic that begins the sums of two rows with a bias each.

    Parameters: ``first`` and ``second`` int32 (4 * blocks), ``sums`` int32 (blocks, 2, 4),
    ``blocks``.
    """
    names = ("first", "second")
    types = {**dict.fromkeys(names, "const int32_t *"), "sums": "int32_t *", "blocks": "int32_t"}
    lines = [
        "dls lr, {blocks}",
        "1:",
        "vldrw.u32 q0, [{first}], #16",
        "vldrw.u32 q1, [{second}], #16",
        "vstrw.32 q0, [{sums}], #16",
        "vstrw.32 q1, [{sums}], #16",
        "le lr, 1b",
    ]
    name = "te_mve_pick_biases"
    body = assembly(lines, list(types)[:-1], {"blocks": "blocks"})
    with prim_func("pick_biases_meaning") as tir:
        blocks = tir.dim("blocks")
        biases = [tir.tensor(n, (blocks, COLUMNS), "int32") for n in names]
        sums = tir.tensor("sums", (blocks, ROWS, COLUMNS), "int32")
        with tir.loop("b", blocks) as b, tir.loop("c", COLUMNS) as c:
            for row, bias in enumerate(biases):
                tir.store(sums, (b, row, c), bias[b, c])
    return intrinsic(name, types, body, tir.prim_func, ("blocks",))


@dataclass(frozen=True)
class _Buffers:
    inputs: list[Buffer]
    index: Buffer | None
    weight: Buffer
    start: Buffer
    multiplier: Buffer
    result: Buffer
    sums: Buffer
    packed: Buffer


def linear(form: Form) -> Any:
    """Return the PrimFunc of a form."""
    with prim_func("linear_mve") as tir:
        rows = tir.dim("rows")
        buffers = _declare(tir, form, rows)
        with tir.loop("pair", T.truncdiv(rows + 1, ROWS)) as pair:
            first = pair * ROWS
            _compute(form, buffers, (first, T.min(first + 1, rows - 1)))
    return tir.prim_func


def _declare(tir: Tir, form: Form, rows: Expr) -> _Buffers:
    """Declare run-time inputs, constants, the result and scratch in the order that kernels keep."""
    declared: dict[int, Buffer] = {}

    def declare(constants: bool) -> None:
        for number, (width, is_constant) in enumerate(form.inputs):
            if is_constant == constants:
                declared[number] = tir.tensor(f"x{number}", (rows, width), "int8")

    declare(False)
    index = tir.tensor("index", (rows,), "int32") if form.biases else None
    declare(True)
    words = form.columns // 4 * sum(padded(n) for _, n in form.parts)
    start = (form.biases, form.columns) if form.biases else (ROWS * form.columns,)
    return _Buffers(
        [declared[number] for number in range(len(form.inputs))],
        index,
        tir.tensor("weight", (words,), "int32"),
        tir.tensor("start", start, "int32"),
        tir.tensor("multiplier", (form.columns,), "int32"),
        tir.tensor("result", (rows, form.outputs), form.dtype),
        tir.tensor("sums", (ROWS * form.columns,), "int32"),
        tir.tensor("packed", (ROWS * max(padded(n) for _, n in form.parts),), "int8"),
    )


def _compute(form: Form, b: _Buffers, pair: tuple[Expr, Expr]) -> None:
    """Compute a pair of rows."""
    blocks, at, start = form.columns // COLUMNS, 0, b.start
    if b.index is not None:
        biases = [address(b.start[b.index[row], 0]) for row in pair]
        pick_biases()(*biases, address(b.sums[0]), blocks)
        start = b.sums
    for pieces in form.pieces:
        width = _pack(b, pieces, pair)
        packed, weight = address(b.packed[0]), address(b.weight[at])
        form.dot(width)(packed, weight, address(start[0]), address(b.sums[0]), blocks)
        at, start = at + blocks * padded(width), b.sums
    results = [address(b.result[row, 0]) for row in pair]
    form.requantize(address(b.sums[0]), address(b.multiplier[0]), *results)


def _pack(b: _Buffers, pieces: list[Piece], pair: tuple[Expr, Expr]) -> int:
    """Pack pieces of a pair of rows behind each other; returns their bytes."""
    packed = 0
    for number, k, width in pieces:
        x = b.inputs[number]
        place = address(b.packed[ROWS * packed])
        pack_rows(width)(*(address(x[row, k]) for row in pair), place)
        packed += width
    return packed
