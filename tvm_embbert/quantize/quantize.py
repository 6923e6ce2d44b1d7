"""Post-training quantisation: float Relax in, integer Relax out."""

from __future__ import annotations

from collections.abc import Iterable

from tvm_embbert import compat
from tvm_embbert.quantize.calibrate import Ids, calibrate
from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.quantize.padding import padding_is_dead
from tvm_embbert.quantize.partition import partition
from tvm_embbert.quantize.quantizer import Quantizer


def quantize(
    mod: compat.Module,
    sentences: Iterable[Ids],
    pad_token: int | None = None,
    progress: bool = False,
) -> IntegerModule:
    """Quantise a simplified float module (see :mod:`tvm_embbert.transform.pipeline`).

    Parameters
    ----------
    mod : IRModule
        ``main`` maps token ids, int32 (n), to float32 logits.
    sentences : iterable of token ids
        Calibration sentences; some tens suffice.
    pad_token : int, optional
        The id of padding; kept in the result only if trailing padding provably changes nothing.
    progress : bool
        Show a progress bar.

    Raises
    ------
    UnsupportedOperatorError
        The graph holds an operator that no strategy takes.
    """
    matches = partition(mod)
    ranges = calibrate(mod, matches, sentences, progress)
    func = mod[compat.MAIN]
    quantizer = Quantizer(func, matches, ranges)
    with quantizer.builder.function(compat.MAIN, list(func.params)):
        with quantizer.builder.dataflow():
            for match in matches:
                match.operator.quantize(match, quantizer)
            last = quantizer.value(compat.result_of(func)).expr
            result = quantizer.builder.emit_output(last)
        quantizer.builder.emit_func_output(result)
    integer = compat.with_bounds(quantizer.builder.get(), quantizer.bounds)
    made = IntegerModule(integer, quantizer.scales)
    made.check_type()
    exact = pad_token is not None and padding_is_dead(made.calls, pad_token)
    return IntegerModule(integer, quantizer.scales, pad_token if exact else None)
