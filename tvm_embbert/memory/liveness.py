"""Analysis: when each buffer is in use, and which buffers therefore must not overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tvm_embbert.program.program import Program


@dataclass(frozen=True)
class Block:
    """What a planning algorithm sees of a buffer: bytes, and the steps it is in use in."""

    name: str
    size: int
    first: int
    last: int

    def conflicts(self, other: Block) -> bool:
        """Return whether both are in use in some step."""
        return self.first <= other.last and other.first <= self.last


def live_blocks(program: Program, length: int) -> list[Block]:
    """Return a block for each buffer of the arena, for inputs of up to `length` tokens.

    The caller's own memory (ids and logits) is left out; a result computed in place shares its
    input's block, which has room for the larger of the two.
    """
    uses: dict[str, list[int]] = {}
    for name in dict.fromkeys(n for step in program.steps for n in step.buffers):
        uses.setdefault(owner(program, name), []).extend(steps_in_use(program, name))
    external = (program.input, program.result)
    return [
        Block(name, shared_bytes(program, name, length), min(steps), max(steps))
        for name, steps in uses.items()
        if name not in external
    ]


def shared_bytes(program: Program, name: str, length: int) -> int:
    """Return the bytes of the largest buffer that lies in a buffer's own memory."""
    heirs = [h for h in program.in_place if owner(program, h) == name]
    return max(program.buffers[n].size(length) for n in (name, *heirs))


def place_of(program: Program, name: str, length: int) -> tuple[str, int]:
    """Return whose memory a buffer lies in, and how many bytes behind its start: at the end."""
    own = owner(program, name)
    return own, shared_bytes(program, own, length) - program.buffers[name].size(length)


def steps_in_use(program: Program, name: str) -> list[int]:
    """Return the steps that need a buffer: those that touch it, and of a loop all.

    A loop comes back to it with the next tile: unless it holds a tile's rows, and nothing of the
    tiles before.
    """
    steps: list[int] = []
    for index, step in enumerate(program.steps):
        if name in step.buffers:
            loop = program.loop_of(index)
            passing = loop is None or program.local.get(name) == 0 or name in step.scratch
            steps += [index] if passing or loop is None else [loop.first, loop.last]
    return steps


def owner(program: Program, name: str) -> str:
    """Return the buffer whose memory a buffer uses: its own, or the one it was computed in."""
    while name in program.in_place:
        name = program.in_place[name]
    return name


def lower_bound(blocks: list[Block], alignment: int) -> int:
    """Return the bytes that are in use at once in the worst step: no plan takes less."""
    return max(
        (sum(aligned(b.size, alignment) for b in live) for live in by_step(blocks)), default=0
    )


def by_step(blocks: list[Block]) -> list[list[Block]]:
    """Return the blocks in use in each step."""
    return [in_use(blocks, step) for step in range(max((b.last for b in blocks), default=-1) + 1)]


def in_use(blocks: list[Block], step: int) -> list[Block]:
    """Return the blocks in use in a step."""
    return [b for b in blocks if b.first <= step <= b.last]


def aligned(size: int, alignment: int) -> int:
    """Return the least multiple of `alignment` that is no less than `size`."""
    return -(-size // alignment) * alignment


def end_of(blocks: Sequence[Block], offsets: Mapping[str, int]) -> int:
    """Return the first byte behind all blocks of a plan."""
    return max((offsets[b.name] + b.size for b in blocks), default=0)
