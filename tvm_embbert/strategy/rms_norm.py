"""Root mean square normalisation of int16 rows to int8 (arXiv 1910.07467), without a gain.

A gain over the channels is folded into what comes after by ``transform/fold_channel_gain.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tvm_embbert import compat
from tvm_embbert.errors import UnsupportedOperatorError
from tvm_embbert.quantize import arithmetic
from tvm_embbert.quantize.quantizer import Quantizer
from tvm_embbert.strategy.operator import Array, IntegerCall, Match, Operator, Pattern
from tvm_embbert.strategy.patterns import anything, constant, op
from tvm_embbert.strategy.registry import register_operator

LARGEST_SHIFT = 30


@register_operator
class RMSNorm(Operator):
    """Arguments: x int16 (rows, channels), epsilon, gain, shift. Result int8 (rows, channels).

    epsilon is in units of the sum of squares; ``gain / 2**shift`` is sqrt(channels) over the
    result's scale.
    """

    name = "rms_norm"
    priority = 20
    wide_inputs = ("x",)
    causal_rows = True
    row_local = True

    def patterns(self) -> list[Pattern]:
        """Match ``x * rsqrt(mean(x * x) + epsilon)``, both ways round."""
        x, epsilon = anything(), constant()
        inverse = op("rsqrt", op("add", op("mean", op("multiply", x, x)), epsilon))
        parts = {"x": x, "epsilon": epsilon}
        return [(op("multiply", x, inverse), parts), (op("multiply", inverse, x), parts)]

    def accepts(self, match: Match) -> bool:
        """Take a scalar epsilon."""
        return match.constant("epsilon").size == 1

    def inputs(self, match: Match) -> list[compat.Expr]:
        """Return x."""
        return [match.parts["x"]]

    def quantize(self, match: Match, quantizer: Quantizer) -> None:
        """Express epsilon in units of the sum of squares."""
        unit = quantizer.scale(match.parts["x"], "int16")
        channels = compat.shape_of(match.parts["x"])[-1]
        scale = quantizer.result_scale(match, "int8")
        gain = arithmetic.norm_gain(math.sqrt(channels) / scale)
        _check(channels, gain)
        epsilon = max(1, round(float(match.constant("epsilon")) * channels / unit**2))
        args = [quantizer.value(match.parts["x"]).expr, min(epsilon, 2**40), gain.gain, gain.shift]
        quantizer.emit(match, args, "int8", scale)

    def reference(self, call: IntegerCall, args: Sequence[Any], rows: int) -> Array:
        """See :func:`tvm_embbert.quantize.arithmetic.normalize`."""
        x, epsilon, gain, shift = args
        return arithmetic.normalize(x[:rows], epsilon, arithmetic.NormGain(gain, shift))


def _check(channels: int, gain: arithmetic.NormGain) -> None:
    """Raise if a row of the largest sum would need a shift of more than 30 bits."""
    bits = max(30 + channels.bit_length(), 41)
    exponent = (bits - 32) + ((bits - 32) & 1)
    if gain.shift + arithmetic.GAIN_BITS + exponent // 2 > LARGEST_SHIFT:
        raise UnsupportedOperatorError(
            f"RMSNorm over {channels} channels with a gain shift of {gain.shift} is out of range.",
            where="rms_norm",
            supported="up to 2**16 channels at the usual output scales",
        )
