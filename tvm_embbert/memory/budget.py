"""Check what a model takes against what the device gives, and say what would help."""

from __future__ import annotations

from dataclasses import dataclass

from tvm_embbert.errors import BudgetError
from tvm_embbert.memory.plan import MemoryPlan, plan_memory
from tvm_embbert.memory.program import Program
from tvm_embbert.target import Target

SHORTEST = 4


@dataclass(frozen=True)
class Needs:
    """Bytes of the linked image: RAM beside the arena, and flash."""

    other_ram: int
    flash: int


def check_budget(program: Program, plan: MemoryPlan, needs: Needs, target: Target) -> None:
    """Raise :class:`BudgetError` if the image takes more RAM or flash than the target gives.

    The message names the largest buffers in use at the peak, the shortfall and what would help.
    """
    if needs.flash > target.flash_budget:  # first: no shorter length would help
        raise _flash_error(program, needs, target)
    if plan.arena + needs.other_ram > target.ram_budget:
        raise _ram_error(program, plan, needs, target)


def largest_length(program: Program, other_ram: int, budget: int, limit: int) -> int | None:
    """Return the greatest length up to `limit` whose arena fits, or None if none does."""
    low, high = SHORTEST - 1, limit
    while low < high:
        middle = (low + high + 1) // 2
        fits = plan_memory(program, middle).arena + other_ram <= budget
        low, high = (middle, high) if fits else (low, middle - 1)
    return low if low >= SHORTEST else None


def _ram_error(program: Program, plan: MemoryPlan, needs: Needs, target: Target) -> BudgetError:
    ram, budget = plan.arena + needs.other_ram, target.ram_budget
    peak = ", ".join(f"{b.name} {b.size:,}" for b in plan.at_peak()[:4])
    fitting = largest_length(program, needs.other_ram, budget, plan.length)
    shorter = f"--max-length {fitting} would fit; or " if fitting else ""
    return BudgetError(
        f"The model needs {ram:,} bytes of RAM, {ram - budget:,} more than the {budget:,} that "
        f"{target.name} gives.",
        where=f"largest buffers at the peak of the arena ({plan.arena:,} bytes): {peak}",
        supported=f"{budget:,} bytes in all: arena, stack and static data",
        hint=f"{shorter}choose a device with more RAM, or raise --ram.",
    )


def _flash_error(program: Program, needs: Needs, target: Target) -> BudgetError:
    budget = target.flash_budget
    sizes = sorted(((v.nbytes, n) for n, v in program.constants.items()), reverse=True)
    largest = ", ".join(f"{name} {size:,}" for size, name in sizes[:4])
    return BudgetError(
        f"The model needs {needs.flash:,} bytes of flash, {needs.flash - budget:,} more than the "
        f"{budget:,} that {target.name} gives.",
        where=f"largest constants: {largest}",
        supported=f"{budget:,} bytes in all: weights, code and the runner",
        hint="Choose a device with more flash, a smaller vocabulary, or raise --flash.",
    )
