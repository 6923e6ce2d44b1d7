"""Planning algorithm: the largest block first, each at the lowest place that is free."""

from __future__ import annotations

from collections.abc import Sequence

from tvm_embbert.memory.liveness import Block


def greedy_by_size(blocks: Sequence[Block], alignment: int) -> dict[str, int]:
    """Return the offset of each block, in bytes; offsets are multiples of `alignment`."""
    placed: list[tuple[int, Block]] = []
    for block in sorted(blocks, key=lambda b: (-b.size, b.first, b.name)):
        busy = sorted((o, o + b.size) for o, b in placed if b.conflicts(block))
        offset = 0
        for start, end in busy:
            if offset + block.size <= start:
                break
            offset = max(offset, -(-end // alignment) * alignment)
        placed.append((offset, block))
    return {block.name: offset for offset, block in placed}
