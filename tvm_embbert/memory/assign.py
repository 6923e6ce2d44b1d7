"""Divide the buffers over the memories: what is touched most often goes to the fastest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tvm_embbert.memory.heat import accesses
from tvm_embbert.memory.liveness import Block, owner
from tvm_embbert.memory.planners.registry import planner
from tvm_embbert.memory.problem import problem_of
from tvm_embbert.memory.space import Space
from tvm_embbert.program.program import Program


def assign(
    program: Program,
    length: int,
    blocks: Sequence[Block],
    spaces: Sequence[Space],
    alignment: int,
) -> list[list[Block]]:
    """Return for each space the blocks that it holds.

    Blocks are taken by how often each of their bytes is touched. Each goes to the first space that
    its readers and writers reach and in which a greedy plan of what is there has room for it; what
    fits nowhere goes to the last space that they reach, for the budget to complain about.

    Parameters
    ----------
    program : Program
        Steps and kernels.
    length : int
        Longest input, in tokens.
    blocks : sequence of Block
        Buffers to divide.
    spaces : sequence of Space
        The fastest first.
    alignment : int
        Bytes.
    """
    if len(spaces) == 1:
        return [list(blocks)]
    heat, needs = _heat(program, length), _masters(program)
    held: list[list[Block]] = [[] for _ in spaces]
    for block in sorted(blocks, key=lambda b: (-heat[b.name] / max(1, b.size), -b.size, b.name)):
        reached = [i for i, s in enumerate(spaces) if needs[block.name] <= {*s.reach}]
        fitting = [i for i in reached if _fits([*held[i], block], spaces[i], alignment)]
        chosen = fitting[0] if fitting else (reached or [len(spaces) - 1])[-1]
        held[chosen].append(block)
    order = {b.name: i for i, b in enumerate(blocks)}
    return [sorted(share, key=lambda b: order[b.name]) for share in held]


def _fits(blocks: Sequence[Block], space: Space, alignment: int) -> bool:
    problem = problem_of(blocks, alignment)
    return space.limit is None or planner("greedy_by_size")(problem).end(problem) <= space.limit


def _heat(program: Program, length: int) -> Mapping[str, int]:
    """Return the accesses of each block, of all buffers that share its memory together."""
    heat: dict[str, int] = {owner(program, n): 0 for n in program.buffers}
    for name, count in accesses(program, length).items():
        heat[owner(program, name)] += count
    return heat


def _masters(program: Program) -> Mapping[str, set[str]]:
    """Return the bus masters that touch each block."""
    needs: dict[str, set[str]] = {owner(program, n): set() for n in program.buffers}
    for step in program.steps:
        for name in step.buffers:
            needs[owner(program, name)] |= {*step.masters}
    return needs
