"""Attention, a row at a time: its scores, their weights, and the weighted values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.attention import distance_limit
from tvm_embbert.strategy.kernels.arithmetic import call as arithmetic
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic, address
from tvm_embbert.strategy.kernels.rv32_zve32x.bounded import mix_bounded
from tvm_embbert.strategy.kernels.rv32_zve32x.contexts import mix
from tvm_embbert.strategy.kernels.rv32_zve32x.dot import LARGEST, dot
from tvm_embbert.strategy.kernels.rv32_zve32x.segments import dot_segments
from tvm_embbert.strategy.kernels.rv32_zve32x.weights import weigh
from tvm_embbert.strategy.kernels.tir import Buffer, Expr, Tir, prim_func
from tvm_embbert.strategy.knobs import Config, Knob
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel, Tensor
from tvm_embbert.strategy.registry import register_implementation

SCORES = Knob("scores", ("halves", "offset", "checked"), "halves")
"""How -128 is met in :func:`dot_segments`; ``halves`` has four columns a turn."""
CONTEXTS = Knob("contexts", ("paired", "bounded", "sparse"), "paired")
"""Sums of two keys, or of as many as 16 bits hold; those of weight 0 may be passed over."""
UNROLL = Knob("unroll", (2, 4, 8, 16), 8)
"""Keys in a turn of the contexts' loop."""


@register_implementation
class RvvAttention(Implementation):
    """Needs a row of scores, a row of weights and their sum as scratch."""

    operator = "attention"
    isa = "rv32-zve32x"
    priority = 20

    def reject(self, call: IntegerCall) -> str:
        """Take queries that fit the registers for them."""
        width = int(call.output.shape[-1])
        return f"{width} channels are more than {LARGEST}" if width > LARGEST else ""

    def knobs(self, call: IntegerCall) -> tuple[Knob, ...]:
        """Offer other scores and contexts where channels are even."""
        if int(call.output.shape[-1]) % 2:
            return (UNROLL,)
        return (SCORES, CONTEXTS, UNROLL)

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel; what calibration decides is passed to it, but for the shifts."""
        *tensors, table, multiplier, shift, numerator, context_shift = call.args
        keys, width = tensors[1].shape[0], int(tensors[0].shape[-1])
        form = Form(
            width,
            len(tensors) == 4,
            shift,
            context_shift,
            str(config.get("scores", SCORES.default)),
            str(config.get("contexts", CONTEXTS.default)),
            int(config["unroll"]),
        )
        limit = (distance_limit(multiplier, shift),) if shift else ()
        by_keys = (Tensor("scores", (keys,), "int32"), Tensor("weights", (keys,), "int8"))
        return Kernel(
            attention(form),
            (table,),
            scalars=(*limit, multiplier, numerator),
            scratch=(*by_keys, Tensor("total", (1,), "int32"), *form.memory),
            dims={"rows": call.rows, "keys": keys},
            intrinsics=form.intrinsics,
        )


@dataclass(frozen=True)
class Form:
    """What a kernel is specialised for."""

    width: int
    masked: bool
    shift: int
    context_shift: int
    scores: str
    contexts: str
    unroll: int

    @property
    def memory(self) -> tuple[Tensor, ...]:
        """Return memory for the sums of a row, where they need it."""
        return () if self.contexts == "paired" else (Tensor("sums", (self.width,), "int32"),)

    @property
    def intrinsics(self) -> tuple[Intrinsic, Intrinsic, Intrinsic]:
        """Return the steps: scores, weights, context. Activations may be -128."""
        return self._scores, weigh(self.shift, self.masked), self._context

    @property
    def _scores(self) -> Intrinsic:
        if self.scores == "halves":
            return dot(self.width, started=False, lowest=True)
        return dot_segments(self.width, started=False, lowest=self.scores)

    @property
    def _context(self) -> Intrinsic:
        if self.contexts == "paired":
            return mix(self.width, self.context_shift, self.unroll)
        sparse = self.contexts == "sparse"
        return mix_bounded(self.width, self.context_shift, sparse, self.unroll)


@dataclass(frozen=True)
class _Buffers:
    q: Buffer
    k: Buffer
    v: Buffer
    hidden: list[Buffer]
    table: Buffer
    limit: list[Expr]
    multiplier: Expr
    numerator: Expr
    result: Buffer
    scores: Buffer
    weights: Buffer
    total: Buffer
    sums: list[Buffer]


def attention(form: Form) -> Any:
    """Return the PrimFunc."""
    with prim_func("attention_rvv") as tir:
        rows, keys = tir.dim("rows"), tir.dim("keys")
        b = _declare(tir, form, rows, keys)
        inverse = tir.local("inverse", "int32")
        with tir.loop("i", rows) as i:
            _compute(tir, form, b, (i, keys), inverse)
    return tir.prim_func


def _declare(tir: Tir, form: Form, rows: Expr, keys: Expr) -> _Buffers:
    return _Buffers(
        tir.tensor("q", (rows, form.width), "int8"),
        tir.tensor("k", (keys, form.width), "int8"),
        tir.tensor("v", (keys, form.width), "int8"),
        [tir.tensor("hidden", (keys,), "bool")] if form.masked else [],
        tir.tensor("table", (256,), "int8"),
        [tir.scalar("limit")] if form.shift else [],
        tir.scalar("multiplier"),
        tir.scalar("numerator"),
        tir.tensor("result", (rows, form.width), "int8"),
        tir.tensor("scores", (keys,), "int32"),
        tir.tensor("weights", (keys,), "int8"),
        tir.tensor("total", (1,), "int32"),
        [tir.tensor("sums", (form.width,), "int32") for _ in form.memory],
    )


def _compute(tir: Tir, form: Form, b: _Buffers, place: tuple[Expr, Expr], inverse: Buffer) -> None:
    """Compute the context of row i."""
    i, keys = place
    score, weigh_row, mix_row = form.intrinsics
    scores, weights, total = (address(t[0]) for t in (b.scores, b.weights, b.total))
    score(address(b.q[i, 0]), address(b.k[0, 0]), scores, keys)
    offset = arithmetic("int32", "rounding_offset", b.multiplier, form.shift)
    seen = (*(address(h[0]) for h in b.hidden), address(b.table[0]))
    weigh_row(scores, *seen, offset, *b.limit, b.multiplier, weights, total, keys)
    tir.store(inverse, 0, T.truncdiv(b.numerator, T.max(b.total[0], 1)))
    offset = arithmetic("int32", "rounding_offset", inverse[0], form.context_shift)
    memory = [address(sums[0]) for sums in b.sums]
    scale = (inverse[0], offset, address(b.result[i, 0]))
    mix_row(weights, address(b.v[0, 0]), *scale, *memory, keys)
