"""What a kernel for attention is specialised for, and the memory and intrinsics that it takes."""

from __future__ import annotations

from dataclasses import dataclass

from tvm_embbert.strategy.kernels.armv8_1_m_mve.assembly import LANES
from tvm_embbert.strategy.kernels.armv8_1_m_mve.contexts import (
    CHANNELS,
    begin,
    finish,
    mix,
    transpose,
)
from tvm_embbert.strategy.kernels.armv8_1_m_mve.dot import ROWS, pack_rows
from tvm_embbert.strategy.kernels.armv8_1_m_mve.scores import score_key, score_quarters
from tvm_embbert.strategy.kernels.armv8_1_m_mve.sixteen import (
    order_bytes,
    transpose_eight,
    weigh_sixteen,
)
from tvm_embbert.strategy.kernels.armv8_1_m_mve.weights import GROUP, order_mask, weigh
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.knobs import Config, Knob
from tvm_embbert.strategy.operator import IntegerCall, Tensor

BLOCK = Knob("block", (4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32), 8)
"""Rows that are computed together: the more, the more share each look at the values."""
WEIGHTS = Knob("weights", ("four", "sixteen"), "four")
"""Scores that are made to weights at once; sixteen need a scale without a shift."""
SCORE_UNROLL = Knob("score_unroll", (1, 2, 4), 1)
"""Keys of each quarter in a turn of the scores' loop."""
MIX_UNROLL = Knob("mix_unroll", (2, 4, 8), 2)
"""Groups of 32 keys in a turn of the contexts' loop."""
LOADS = Knob("loads", ("single", "multiple"), "single")
"""Vectors of sums that a load takes."""
PAIR_SUMS = CHANNELS * ROWS * 4
"""Bytes of the sums of eight channels of a pair of rows."""
PLACES = 3 * LANES
"""Keys of 16 positions, which repeat, and of up to 32 that are left over or pad; 16 bits each."""


@dataclass(frozen=True)
class Form:
    """What a kernel is specialised for."""

    width: int
    masked: bool
    shift: int
    context_shift: int
    block: int
    sixteen: bool
    score_unroll: int
    mix_unroll: int
    multiple: bool

    @staticmethod
    def of(call: IntegerCall, config: Config) -> Form:
        """Return the form of a call with values of its knobs."""
        *tensors, _, _, shift, _, context_shift = call.args
        return Form(
            tensors[0].shape[-1],
            len(tensors) == 4,
            shift,
            context_shift,
            int(config["block"]),
            config.get("weights") == "sixteen",
            int(config["score_unroll"]),
            int(config["mix_unroll"]),
            config["loads"] == "multiple",
        )

    @property
    def score(self) -> Intrinsic:
        """Return the scores of keys of four quarters."""
        return score_quarters(self.width, self.score_unroll)

    @property
    def mix(self) -> Intrinsic:
        """Return the weighted sums of eight channels."""
        return mix(self.mix_unroll)

    @property
    def finish(self) -> Intrinsic:
        """Return the storing of eight channels."""
        return finish(self.context_shift, self.multiple)

    @property
    def sums(self) -> int:
        """Return the bytes of the sums of eight channels: a multiple of a group, too."""
        return self.block // ROWS * PAIR_SUMS

    def scratch(self, keys: int | str) -> tuple[Tensor, ...]:
        """Return the kernel's memory.

        Eight channels of the values take the place of the scores, sums that of the mask. Packed
        queries lie where the weights of their pair will be; these therefore have room for them.
        """
        room = -(-self.width // GROUP) * GROUP
        return (
            Tensor("scores", (keys, ROWS), "int32", multiple=GROUP),
            Tensor("weights", (keys, self.block), "int8", multiple=room),
            Tensor("mask", (keys,), "int8", multiple=self.sums),
            Tensor("places", (PLACES,), "int16"),
            Tensor("scales", (self.block // ROWS, 2 * ROWS), "int32"),
        )

    @property
    def intrinsics(self) -> tuple[Intrinsic, ...]:
        """Return all that the kernel calls."""
        scores = (pack_rows(self.width), self.score, score_key(self.width))
        ordering = order_bytes() if self.sixteen else order_mask()
        masks = (ordering,) if self.masked else ()
        weights = weigh_sixteen() if self.sixteen else weigh(self.shift)
        eight = (transpose_eight(self.width),) if self.sixteen else ()
        contexts = (*eight, transpose(self.width), begin(), self.mix, self.finish)
        return (*scores, *masks, weights, *contexts)
