"""Which results take the memory of an input: settled once all readers and loops are known."""

from __future__ import annotations

from tvm_embbert.program.program import Access, Program, Step


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
    sizes = [program.buffers[n].size(3) for n in (source, result)]
    return alike and sizes[0] == sizes[1] and not _read_by_other_rows(program, index, source)


def _read_by_other_rows(program: Program, index: int, source: str) -> bool:
    """Return whether a later tile of the step's loop needs rows that this one would replace."""
    loop = program.loop_of(index)
    steps = [program.steps[i] for i in loop.steps] if loop else []
    return any(a is not Access.ROWS for s in steps for a in s.accesses(source))
