"""Check what a model takes against what the device gives, and say what would help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tvm_embbert.errors import BudgetError
from tvm_embbert.memory.plan import MemoryPlan
from tvm_embbert.program.program import Program
from tvm_embbert.target import Target

SHORTEST = 4
TOKEN_BYTES = 4
"""Bytes of static memory that the runner keeps for each token of the longest input."""


@dataclass(frozen=True)
class Needs:
    """Bytes of the linked image beside the arena: stack and static data, copied weights, flash."""

    system: int
    flash: int
    weights: int = 0

    @property
    def ram(self) -> int:
        """Return the bytes of RAM."""
        return self.system + self.weights

    def limits(self, target: Target) -> dict[str, int]:
        """Return the bytes that are left for the arena, by pool."""
        return target.arena_limits(self.system, self.weights)


Replan = Callable[[int, Needs], MemoryPlan]
"""From a length in tokens and what is needed beside the arena to the best plan."""


def exceeds(plan: MemoryPlan, needs: Needs, target: Target) -> bool:
    """Return whether a plan takes more RAM than the target gives."""
    limits = needs.limits(target)
    too_large = any(pool.size > limits[pool.name] for pool in plan.pools)
    return too_large or not target.has_room(needs.system, needs.weights)


def check_flash(program: Program, needs: Needs, target: Target) -> None:
    """Raise :class:`BudgetError` if the image takes more flash than the target gives."""
    if needs.flash > target.flash_budget:
        raise _flash_error(program, needs, target)


def check_ram(plan: MemoryPlan, needs: Needs, target: Target, replan: Replan) -> None:
    """Raise :class:`BudgetError` if the image takes more RAM than the target gives.

    The message names the largest buffers in use at the peak, the shortfall and what would help.

    Parameters
    ----------
    plan : MemoryPlan
        The smallest that was found.
    needs : Needs
        What is needed beside it.
    target : Target
        The device.
    replan : callable
        Plans for another length.
    """
    if exceeds(plan, needs, target):
        raise _ram_error(plan, needs, target, replan)


def largest_length(plan: MemoryPlan, needs: Needs, target: Target, replan: Replan) -> int | None:
    """Return the greatest length whose plan fits, or None if none does; see :func:`check_ram`."""
    low, high = SHORTEST - 1, plan.length
    while low < high:
        middle = (low + high + 1) // 2
        system = needs.system - TOKEN_BYTES * (plan.length - middle)
        shorter = replace(needs, system=system)
        fits = not exceeds(replan(middle, shorter), shorter, target)
        low, high = (middle, high) if fits else (low, middle - 1)
    return low if low >= SHORTEST else None


def _ram_error(plan: MemoryPlan, needs: Needs, target: Target, replan: Replan) -> BudgetError:
    ram, budget = plan.arena + needs.ram, target.ram_budget
    peak = ", ".join(f"{b.name} {b.size:,}" for b in plan.at_peak()[:4])
    fitting = largest_length(plan, needs, target, replan)
    shorter = f"--max-length {fitting} would fit; or " if fitting else ""
    error = BudgetError(
        f"The model needs {ram:,} bytes of RAM, {_shortfall(ram, budget)}{target.name} gives.",
        where=f"largest buffers at the peak of the arena ({plan.arena:,} bytes): {peak}",
        supported=f"{budget:,} bytes in all: arena, stack and static data{_pools(target, needs)}",
        hint=f"{shorter}choose a device with more RAM, or raise --ram.",
    )
    error.fitting_length = fitting
    return error


def _shortfall(ram: int, budget: int) -> str:
    if ram > budget:
        return f"{ram - budget:,} more than the {budget:,} that "
    return f"which do not fit in the memories that, with {budget:,} bytes in all, "


def _pools(target: Target, needs: Needs) -> str:
    limits = needs.limits(target)
    if len(limits) == 1:
        return ""
    return "; for the arena " + ", ".join(f"{name} {size:,}" for name, size in limits.items())


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
