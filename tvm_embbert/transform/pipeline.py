"""The float passes in their order, each readable on its own and tested on its own."""

from __future__ import annotations

from collections.abc import Callable

from tvm_embbert import compat
from tvm_embbert.transform.canonicalize_arithmetic import canonicalize_arithmetic
from tvm_embbert.transform.defer_softmax_normalization import defer_softmax_normalization
from tvm_embbert.transform.drop_dead_rows import drop_dead_rows
from tvm_embbert.transform.drop_unit_batch import drop_unit_batch
from tvm_embbert.transform.fold_channel_gain import fold_channel_gain
from tvm_embbert.transform.fold_scale import fold_scale
from tvm_embbert.transform.sum_projections import sum_projections

Pass = Callable[[compat.Module], compat.Module]

FLOAT_PASSES: tuple[Pass, ...] = (
    drop_unit_batch,
    canonicalize_arithmetic,
    fold_channel_gain,
    fold_scale,
    sum_projections,
    drop_dead_rows,
    defer_softmax_normalization,
)
"""From the graph as imported to the graph that is quantised."""


def simplify(mod: compat.Module) -> compat.Module:
    """Run :data:`FLOAT_PASSES` on an imported module."""
    for run in FLOAT_PASSES:
        mod = run(mod)
    return mod
