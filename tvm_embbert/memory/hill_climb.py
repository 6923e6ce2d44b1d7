"""Planning algorithm: first fit in an order that is improved by exchanging blocks.

It begins with the better of two greedy orders, largest first and latest first, and stops at the
lower bound. The exchanges are random but the same on every run.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from tvm_embbert.memory.first_fit import first_fit
from tvm_embbert.memory.greedy_by_size import largest_first
from tvm_embbert.memory.liveness import Block, end_of, lower_bound

ATTEMPTS = 1000


def hill_climb(blocks: Sequence[Block], alignment: int, attempts: int = ATTEMPTS) -> dict[str, int]:
    """Return the offset of each block, in bytes; offsets are multiples of `alignment`."""
    orders = (
        largest_first(blocks),
        sorted(blocks, key=lambda b: (-b.last, -b.size, b.name)),
    )
    end, order = min(((_end(o, alignment), o) for o in orders), key=lambda pair: pair[0])
    bound = lower_bound(list(blocks), alignment)
    chance = random.Random(0)
    for _ in range(attempts if len(order) > 1 else 0):
        if end <= bound:
            break
        i, j = chance.sample(range(len(order)), 2)
        tried = list(order)
        tried[i], tried[j] = tried[j], tried[i]
        tried_end = _end(tried, alignment)
        if tried_end <= end:
            end, order = tried_end, tried
    return first_fit(order, alignment)


def _end(order: Sequence[Block], alignment: int) -> int:
    return end_of(order, first_fit(order, alignment))
