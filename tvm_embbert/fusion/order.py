"""Orders in which the steps of a program may run.

Which steps can share a loop depends on their order: a query that is computed long before its
attention must be kept whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from tvm_embbert.program.program import Access, Step

Order = tuple[int, ...]


def candidate_orders(steps: Sequence[Step]) -> list[Order]:
    """Return the given order, one that finishes branch after branch, and one stage after stage.

    The second frees a branch's tensors before the next begins; the third lets branches share one
    loop. Neither is always the better one.
    """
    orders = (tuple(range(len(steps))), by_branches(steps), by_stages(steps))
    return list(dict.fromkeys(orders))


def by_branches(steps: Sequence[Step]) -> Order:
    """Return the steps depth first from the last, whole inputs before those read by rows."""
    makers = makers_of(steps)
    done: dict[int, None] = {}
    pending = list(range(len(steps)))  # the last step first, then any that it did not need
    while pending:
        index = pending[-1]
        missing = [i for i in _inputs(steps[index], makers) if i not in done]
        if index in done or not missing:
            done.setdefault(pending.pop())
        else:
            pending += reversed(missing)
    return tuple(done)


def by_stages(steps: Sequence[Step]) -> Order:
    """Return the steps by the latest stage that they can run in.

    A stage ends where a tensor is needed whole that the same stage makes.
    """
    makers = makers_of(steps)
    stages = [0] * len(steps)
    for index in reversed(range(len(steps))):
        for name in steps[index].reads:
            if name in makers:
                maker = makers[name]
                cut = 1 if _cuts(steps[maker], steps[index], name) else 0
                stages[maker] = min(stages[maker], stages[index] - cut)
    return tuple(sorted(range(len(steps)), key=lambda i: (stages[i], i)))


def makers_of(steps: Sequence[Step]) -> dict[str, int]:
    """Return the index of the step that makes each tensor."""
    return {step.writes: index for index, step in enumerate(steps)}


def _inputs(step: Step, makers: dict[str, int]) -> list[int]:
    """Return the steps that make a step's inputs, those of whole inputs first."""
    made = [n for n in step.reads if n in makers]
    made.sort(key=lambda n: Access.WHOLE not in step.accesses(n))
    return [makers[n] for n in made]


def _cuts(maker: Step, reader: Step, name: str) -> bool:
    """Return whether a tensor keeps its maker and its reader from sharing a loop."""
    both = maker.tileable and reader.tileable
    return not both or Access.WHOLE in reader.accesses(name)
