"""Which operators take more instructions in a tuned model than untuned, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tvm_embbert.lowering import Lowered
from tvm_embbert.tune.session import CLOSE
from tvm_embbert.tune.whole import Counted, losses

KERNELS, TILES, CALLS = "kernels", "tiles", "calls"

Rank = tuple[int, int]
"""The less, the better a whole model; see :func:`ranked_against`."""


@dataclass(frozen=True)
class Slower:
    """An operator that takes more than untuned.

    ``cause`` is :data:`TILES` where its kernels are called for other tiles than untuned. Where they
    are called for the same it is :data:`KERNELS` if records make them, and :data:`CALLS` if they
    are the untuned ones: then the entry point puts their arguments together in another way.
    """

    operator: str
    before: int
    after: int
    cause: str


def slower(before: Counted, after: Counted) -> list[Slower]:
    """Return the operators that take more than untuned."""
    old, new = before.by_operator(), after.by_operator()
    return [Slower(n, old[n], new[n], _cause(n, before, after)) for n in losses(before, after)]


def ranked_against(before: Counted) -> Callable[[Counted], Rank]:
    """Return what orders whole models, given the untuned one.

    First come models of whose operators none is slower by its tuned kernels alone; then those of
    fewest instructions. One in which an operator is slower by tiles counts as a thousandth more: as
    good a model without is preferred.
    """

    def rank(after: Counted) -> Rank:
        causes = [each.cause for each in slower(before, after)]
        more = after.total // CLOSE if TILES in causes else 0
        return causes.count(KERNELS), after.total + more

    return rank


def _cause(operator: str, before: Counted, after: Counted) -> str:
    steps = [s.name for s in after.lowered.program.steps if s.operator == operator]
    if _calls(before.lowered, steps) != _calls(after.lowered, steps):
        return TILES
    return KERNELS if any(name in after.lowered.schedules.used for name in steps) else CALLS


def _calls(lowered: Lowered, names: Sequence[str]) -> list[int]:
    """Return how often an inference of the greatest length calls each step, in the names' order."""
    program, length = lowered.program, lowered.plan.length
    calls = {}
    for index, step in enumerate(program.steps):
        loop = program.loop_of(index)
        calls[step.name] = -(-length // loop.rows) if loop else 1
    return [calls[name] for name in names]
