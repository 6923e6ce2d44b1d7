"""Place blocks one after the other, each at the lowest offset that is free while it is in use."""

from __future__ import annotations

from collections.abc import Iterable

from tvm_embbert.memory.liveness import Block, aligned


def first_fit(blocks: Iterable[Block], alignment: int) -> dict[str, int]:
    """Return the offset of each block, in bytes; offsets are multiples of `alignment`."""
    placed: list[tuple[int, Block]] = []
    for block in blocks:
        busy = sorted((o, o + b.size) for o, b in placed if b.conflicts(block))
        offset = 0
        for start, end in busy:
            if offset + block.size <= start:
                break
            offset = max(offset, aligned(end, alignment))
        placed.append((offset, block))
    return {block.name: offset for offset, block in placed}
