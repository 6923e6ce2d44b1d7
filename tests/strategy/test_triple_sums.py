"""Sums of rows by threes, compiled for this machine: their extremes, and how far they reach."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tvm_embbert.strategy.kernels.scalar.form import TRIPLE, TRIPLE_REACH, TRIPLE_STEPS, Block
from tvm_embbert.strategy.kernels.scalar.linear import triple_reach
from tvm_embbert.strategy.kernels.scalar.sums import Walk, sums

pytestmark = pytest.mark.host

HEAD = "#include <stdint.h>\n"
MINIMUM = "static inline int32_t te_min(int32_t a, int32_t b) { return a < b ? a : b; }\n"
CALL = """
void call(const int32_t *x, const int8_t *w, int32_t steps, int32_t *sums) {
  triple(x, w, steps, sums);
}
"""
BLOCKS = [Block(3, 4, 8, TRIPLE), Block(6, 2, 2, TRIPLE), Block(3, 1, 4, TRIPLE)]


def built(folder: Path, block: Block) -> ctypes.CDLL:
    walk = Walk(step=block.outputs, output=1, word=block.words)
    source = folder / "triple.c"
    source.write_text(HEAD + MINIMUM + sums("triple", block, walk) + CALL)
    library = folder / "triple.so"
    flags = ["-std=c99", "-O1", "-Wall", "-Wconversion", "-Werror", "-shared", "-fPIC"]
    subprocess.run(["cc", *flags, "-o", library, source], check=True)
    return ctypes.CDLL(str(library))


def summed(library: ctypes.CDLL, block: Block, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return what C sums of ``x`` (rows, steps) and ``w`` (steps, outputs): (outputs, rows)."""
    wide = x.astype(np.int32)
    words = np.stack([wide[n.low] + wide[n.high] * (1 << n.bits) for n in block.layout], axis=1)
    packed, weight = np.ascontiguousarray(words, np.int32), np.ascontiguousarray(w, np.int8)
    found = np.zeros((block.outputs, block.rows), np.int32)
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in (packed, weight)]
    library.call(*pointers, ctypes.c_int32(x.shape[1]), ctypes.c_void_p(found.ctypes.data))
    return found


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.name)
def test_every_mix_of_extremes_is_told_apart(tmp_path: Path, block: Block) -> None:
    """The rows of a triple are each at an end of what int8 can hold, or 0."""
    library, ends = built(tmp_path, block), (-128, 0, 127)
    for steps in (1, TRIPLE_STEPS - 1, TRIPLE_STEPS, TRIPLE_STEPS + 1, 200):
        for row0, row1, row2, weight in np.array(np.meshgrid(*[ends] * 4)).reshape(4, -1).T:
            x = np.resize([row0, row1, row2], block.rows)[:, None].repeat(steps, axis=1)
            w = np.full((steps, block.outputs), weight)
            assert (summed(library, block, x, w) == (w.T @ x.T)).all()


@pytest.mark.parametrize("largest", [3, 20, 60, 127])
@pytest.mark.parametrize("steps", [1, 64, 65, 128, 256, 700])
def test_no_part_of_a_projection_goes_beyond_its_reach(steps: int, largest: int) -> None:
    weight = np.random.default_rng(steps).integers(-largest, largest + 1, (40, steps))
    reach = triple_reach(weight.astype(np.int8))
    parts = range(0, steps, reach) if reach else (0,)
    sums_of = [np.abs(weight[:, k : k + (reach or steps)]).sum(axis=1).max() * 128 for k in parts]
    assert max(sums_of) <= TRIPLE_REACH
    assert reach % TRIPLE_STEPS == 0
    assert reach == 0 or reach < steps
