"""Which results take the memory of an input: settled once all readers and loops are known."""

from __future__ import annotations

from math import prod

from tvm_embbert.program.program import Access, Program, Step
from tvm_embbert.strategy.operator import ITEM_SIZES, Tensor

ALIGNMENT = 16
"""Bytes that buffers and the arena are aligned to: a vector of Armv8.1-M MVE."""


def settle_in_place(program: Program) -> dict[str, str]:
    """Return the buffers that take over the memory of another, by name."""
    last_reader = {name: i for i, s in enumerate(program.steps) for name in s.reads}
    return {
        step.writes: step.takes
        for index, step in enumerate(program.steps)
        if step.takes and last_reader[step.takes] == index and _may_take(program, index, step)
    }


def _may_take(program: Program, index: int, step: Step) -> bool:
    source, result = step.takes, step.writes
    if source == program.input or result == program.result:
        return False
    # A window is read again by the next tile; a tile and a whole buffer differ in size.
    alike = program.local.get(source) == program.local.get(result) in (None, 0)
    fits = widens(program.buffers[source], program.buffers[result])
    return alike and fits and not _read_by_other_rows(program, index, source)


def widens(source: Tensor, result: Tensor) -> bool:
    """Return whether the memory of a result has room for its input: rows as long, or longer.

    Both end at the same byte: so a row of the result is written where no later row is read. Rows
    are longer by a multiple of the alignment, so that both begin aligned, however many they are.
    """
    if source.shape[:1] != result.shape[:1]:
        return source.size(3) == result.size(3)
    longer = _row_bytes(result) - _row_bytes(source)
    return longer >= 0 and longer % ALIGNMENT == 0


def _row_bytes(tensor: Tensor) -> int:
    return ITEM_SIZES[tensor.dtype] * prod(d for d in tensor.shape[1:] if isinstance(d, int))


def _read_by_other_rows(program: Program, index: int, source: str) -> bool:
    """Return whether a later tile of the step's loop needs rows that this one would replace."""
    loop = program.loop_of(index)
    steps = [program.steps[i] for i in loop.steps] if loop else []
    return any(a is not Access.ROWS for s in steps for a in s.accesses(source))
