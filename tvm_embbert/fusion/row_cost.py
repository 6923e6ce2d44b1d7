"""What a row of a step costs: an estimate from the accesses of the step's kernel."""

from __future__ import annotations

from tvm_embbert.memory.heat import accesses_by_step
from tvm_embbert.program.program import Program

ACCESSES = 3
"""Loads and stores, counted as the kernel's loops have them, for an instruction."""


def row_costs(program: Program, length: int) -> list[int]:
    """Return the instructions that a row takes in each step, thought at the greatest length.

    They matter only where kernels compute rows in blocks; without any they are not counted.
    """
    if all(step.row_block == 1 for step in program.steps):
        return [0] * len(program.steps)
    touched = accesses_by_step(program, length)
    return [sum(counts) // (ACCESSES * length) for counts in touched]
