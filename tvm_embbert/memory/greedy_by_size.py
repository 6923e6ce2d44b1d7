"""Planning algorithm: the largest block first."""

from __future__ import annotations

from collections.abc import Sequence

from tvm_embbert.memory.first_fit import first_fit
from tvm_embbert.memory.liveness import Block


def greedy_by_size(blocks: Sequence[Block], alignment: int) -> dict[str, int]:
    """Return the offset of each block, in bytes; offsets are multiples of `alignment`."""
    return first_fit(largest_first(blocks), alignment)


def largest_first(blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks in the order in which they are placed."""
    return sorted(blocks, key=lambda b: (-b.size, b.first, b.name))
