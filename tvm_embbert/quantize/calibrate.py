"""Ranges of the float graph's tensors on calibration sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from tvm_embbert import compat
from tvm_embbert.errors import InputError
from tvm_embbert.strategy.operator import Match
from tvm_embbert.transform.rewriter import Emitter, emit_function

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
    checked = _checked(sentences, mod[compat.MAIN], matches)
    run = compat.compile_on_host(_observed(mod, matches, variables))
    samples: list[list[Array]] = [[] for _ in variables]
    for ids in tqdm(checked, desc="calibrating", disable=not progress, leave=False):
        for kept, result in zip(samples, run(ids), strict=True):
            kept.append(np.abs(result).reshape(-1))
    ranges = (_range_of(np.concatenate(kept)) for kept in samples)
    return dict(zip(variables, ranges, strict=True))


def _checked(
    sentences: Iterable[Ids], func: compat.Expr, matches: Sequence[Match]
) -> list[NDArray[np.int32]]:
    """Return the sentences as arrays; raise :class:`InputError` where the model cannot take one."""
    longest = max(compat.upper_bounds(func).values(), default=0)
    tables = [
        m.constant("table").shape[0]
        for m in matches
        if "index" in m.parts and any(m.parts["index"].same_as(p) for p in func.params)
    ]
    vocabulary = min(tables, default=2**31 - 1)
    arrays = [np.asarray(ids, np.int64).reshape(-1) for ids in sentences]
    if not arrays:
        raise InputError("There is no calibration sentence.", hint="Give at least one.")
    for number, ids in enumerate(arrays):
        fits = 1 <= len(ids) <= (longest or len(ids))
        if not fits or ids.min(initial=0) < 0 or ids.max(initial=0) >= vocabulary:
            raise InputError(
                f"Calibration sentence {number} has {len(ids)} tokens or an unknown one.",
                where=f"ids {ids[:8].tolist()}",
                supported=f"1 to {longest} ids of 0 to {vocabulary - 1}",
            )
    return [ids.astype(np.int32) for ids in arrays]


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


def _observed(
    mod: compat.Module, matches: Sequence[Match], variables: Sequence[compat.Expr]
) -> compat.Module:
    """Return the module with the variables as its results."""
    matched = {m.output: m for m in matches}

    def emit(emitter: Emitter, binding: compat.Expr) -> compat.Expr:
        match = matched.get(binding.var)
        if match is None:
            return emitter.rebuild(binding.value)
        return match.operator.observe(match, emitter)

    old = mod[compat.MAIN]
    observed = emit_function(old, {p: p for p in old.params}, emit, variables)
    return compat.fold_constants(observed)
