"""Ranges of the float graph's tensors on calibration sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm
from tvm import relax

from tvm_embbert import compat
from tvm_embbert.errors import InputError
from tvm_embbert.strategy.operator import Match
from tvm_embbert.transform.rewriter import Emitter

Ids = Sequence[int] | NDArray[np.integer]
Array = NDArray[Any]
CLIPS = np.linspace(0.3, 1.0, 36)
"""Candidates for the 8-bit range, as a share of the largest magnitude."""


@dataclass(frozen=True)
class Range:
    """Magnitudes of a tensor's values.

    Attributes
    ----------
    largest : float
        The largest one seen.
    clip : float
        The saturation value that gives 8-bit rounding the least mean squared error.
    """

    largest: float
    clip: float


def calibrate(
    mod: compat.Module,
    matches: Sequence[Match],
    sentences: Iterable[Ids],
    progress: bool = False,
) -> dict[compat.Expr, Range]:
    """Return the range of each float tensor that a match makes.

    Parameters
    ----------
    mod : IRModule
        The float graph; it is compiled for this machine by TVM and run.
    matches : sequence of Match
        Its cover by operators.
    sentences : iterable of token ids
        Calibration sentences, one at least.
    progress : bool
        Show a progress bar.
    """
    variables = [m.output for m in matches if compat.dtype_of(m.output).startswith("float")]
    run = compat.compile_on_host(_observed(mod, variables))
    samples: list[list[Array]] = [[] for _ in variables]
    for ids in tqdm(list(sentences), desc="calibrating", disable=not progress, leave=False):
        for kept, result in zip(samples, run(np.asarray(ids, np.int32)), strict=True):
            kept.append(np.abs(result).reshape(-1))
    if not samples or not samples[0]:
        raise InputError("There is no calibration sentence.", hint="Give at least one.")
    ranges = (_range_of(np.concatenate(kept)) for kept in samples)
    return dict(zip(variables, ranges, strict=True))


def _range_of(magnitudes: Array) -> Range:
    largest = float(magnitudes.max())
    if not np.isfinite(largest) or largest == 0.0:
        return Range(largest, largest)
    clips = largest * CLIPS
    errors = [_squared_error(magnitudes, clip) for clip in clips]
    return Range(largest, float(clips[int(np.argmin(errors))]))


def _squared_error(magnitudes: Array, clip: float) -> float:
    """Return the mean squared error of 8-bit rounding with saturation at `clip`."""
    unit = clip / 127
    rounded = np.minimum(np.rint(magnitudes / unit), 127) * unit
    return float(np.mean((magnitudes - rounded) ** 2))


def _observed(mod: compat.Module, variables: Sequence[compat.Expr]) -> compat.Module:
    """Return the module with the variables as its results."""
    old = mod[compat.MAIN]
    emitter = Emitter({p: p for p in old.params})
    with emitter.builder.function(compat.MAIN, list(old.params)):
        with emitter.builder.dataflow():
            for binding in compat.bindings(old):
                made = emitter.rebuild(binding.value)
                made = emitter.builder.emit(made) if compat.is_call(made) else made
                emitter.env[binding.var] = made
            seen = relax.Tuple([emitter.env[v] for v in variables])
            result = emitter.builder.emit_output(seen)
        emitter.builder.emit_func_output(result)
    return compat.with_bounds(emitter.builder.get(), compat.upper_bounds(old))
