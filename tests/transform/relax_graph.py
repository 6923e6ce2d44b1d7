"""Reading and comparing Relax functions."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import tvm_ffi

from tvm_embbert import compat
from tvm_embbert.models.embbert import EmbBertConfig

CONFIG = EmbBertConfig(64, 32, 16, 8, 1, 4, 2, 3)


def counts(mod: Any) -> Counter[str]:
    """Return how often each operator is called, without TVM's prefix."""
    return Counter(c.op.name.removeprefix("relax.") for c in calls(mod))


def calls(mod: Any, name: str = "") -> list[Any]:
    """Return the calls of ``main`` in order, all or those of one operator."""
    values = (b.value for b in compat.bindings(mod[compat.MAIN]))
    return [v for v in values if compat.is_call(v, f"relax.{name}" if name else "")]


def same(a: Any, b: Any) -> bool:
    """Return whether two modules have the same structure and constants."""
    return bool(tvm_ffi.structural_equal(a, b, map_free_vars=True))


def assert_same_results(before: Any, after: Any, *shapes: tuple[int, ...]) -> None:
    """Compare two modules on random inputs."""
    rng = np.random.default_rng(3)
    inputs = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    expected, result = (compat.compile_on_host(m)(*inputs) for m in (before, after))
    np.testing.assert_allclose(result.reshape(expected.shape), expected, rtol=1e-4, atol=1e-5)
