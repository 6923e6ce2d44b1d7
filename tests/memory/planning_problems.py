"""Problems made at random, and what is true of every answer to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from random_programs import Line, program

from tvm_embbert.memory.problem import Placement, Problem
from tvm_embbert.program.program import Program

Rng = np.random.Generator
Lifetimes = list[tuple[int, int]]
"""Of each buffer the step that writes it, which is its number, and the last that reads it."""


def graph(sizes: Mapping[str, int], pairs: Sequence[str], alignment: int = 16) -> Problem:
    """Return a problem with conflicts between the two letters of each pair."""
    met = {n: {p.replace(n, "") for p in pairs if n in p} for n in sizes}
    conflicts = {n: frozenset(others) for n, others in met.items()}
    largest = max(sizes.values(), default=0)
    return Problem(sizes, conflicts, alignment, -(-largest // alignment) * alignment)


def random_graph(rng: Rng, most: int, alignment: int = 16) -> Problem:
    """Return a problem of up to `most` buffers whose conflicts need not be those of intervals."""
    letters = "abcdefghijklmnopqrstuvwxyz"[: rng.integers(1, most + 1)]
    sizes = {n: int(rng.choice([rng.integers(1, 200), 16 * rng.integers(1, 9)])) for n in letters}
    density = rng.choice([0.2, 0.4, 0.6, 0.8])
    pairs = [a + b for a in letters for b in letters if a < b and rng.random() < density]
    return graph(sizes, pairs, alignment)


def shuffled(problem: Problem, rng: Rng) -> Problem:
    """Return the same problem with its buffers named in another order."""
    names = [str(n) for n in rng.permutation(list(problem.sizes))]
    sizes = {n: problem.sizes[n] for n in names}
    conflicts = {n: problem.conflicts[n] for n in reversed(names)}
    return Problem(sizes, conflicts, problem.alignment, problem.lower_bound, problem.limit)


def is_right(problem: Problem, placement: Placement) -> bool:
    """Return whether an answer is a plan, pair by pair, and its bound is not above its end."""
    offsets, sizes = placement.offsets, problem.sizes
    whole = offsets.keys() == sizes.keys()
    return (
        whole
        and all(o >= 0 and o % problem.alignment == 0 for o in offsets.values())
        and all(
            offsets[a] + sizes[a] <= offsets[b] or offsets[b] + sizes[b] <= offsets[a]
            for a, others in problem.conflicts.items()
            for b in others
        )
        and problem.lower_bound <= placement.lower_bound <= placement.end(problem)
    )


def smallest_end(problem: Problem) -> int:
    """Return the aligned end of the smallest plan: the best of all orders of first fit."""

    def rest(placed: dict[str, int]) -> int:
        left = [n for n in problem.sizes if n not in placed]
        if not left:
            return Placement(placed, 0).end(problem)
        return min(rest({**placed, n: _lowest(problem, placed, n)}) for n in left)

    return rest({})


def _lowest(problem: Problem, placed: Mapping[str, int], name: str) -> int:
    """Return the lowest offset that is free; it is 0 or right behind a buffer in conflict."""
    busy = [(placed[n], placed[n] + problem.sizes[n]) for n in problem.conflicts[name] & {*placed}]
    ends = {-(-end // problem.alignment) * problem.alignment for _, end in busy}
    size = problem.sizes[name]
    return min(o for o in ends | {0} if all(end <= o or o + size <= start for start, end in busy))


def chain(rng: Rng, count: int) -> Lifetimes:
    """Each result is read by the next step alone; some also by the one after it."""
    return [(i, i + 1 + int(rng.random() < 0.1)) for i in range(count)]


def branches(rng: Rng, count: int) -> Lifetimes:
    """Forks into up to four branches of one or two steps, and joins."""
    last = list(range(3 * count + 9))
    source = 0
    while source + 1 < count:
        tips, step = [], source + 1
        for _ in range(rng.integers(1, 5)):
            before = source
            for _ in range(rng.integers(1, 3)):
                last[before] = step
                before, step = step, step + 1
            tips.append(before)
        for tip in tips:
            last[tip] = step
        source = step
    return [(i, min(end, count)) for i, end in enumerate(last[:count])]


def skips(rng: Rng, count: int) -> Lifetimes:
    """A chain, a third of whose results is read once more, up to six steps later."""
    later = [int(rng.integers(2, 7)) if rng.random() < 0.35 else 1 for _ in range(count)]
    return [(i, min(i + more, count)) for i, more in enumerate(later)]


def intervals(rng: Rng, count: int) -> Lifetimes:
    """Lifetimes of any length up to one that is chosen first."""
    longest = int(rng.choice([1, 3, 6, count]))
    return [(i, min(i + int(rng.integers(0, longest + 1)), count)) for i in range(count)]


STYLES: Mapping[str, Callable[[Rng, int], Lifetimes]] = {
    "chain": chain,
    "branches": branches,
    "skips": skips,
    "intervals": intervals,
}


def random_net(style: str, rng: Rng) -> Program:
    """Return a program in a style: 10 to 24 buffers if it is tight, else 2 to 14 and scratch."""
    if style == "tight":
        return _net(*tight(rng, int(rng.integers(10, 25))))
    count = int(rng.integers(2, 15))
    few = rng.integers(1, 40, rng.integers(1, 5))
    sizes = np.where(rng.random(count) < 0.7, rng.choice(few, count), rng.integers(1, 60, count))
    scratch = {i: int(rng.integers(1, 40)) for i in range(count) if rng.random() < 0.15}
    return _net(STYLES[style](rng, count), [int(s) for s in sizes], scratch)


def tight(rng: Rng, count: int) -> tuple[Lifetimes, list[int]]:
    """Return lifetimes and sizes of which every step but the last fills the same space.

    Such problems are hard: a plan that wastes nothing may exist, or not.
    """
    space, time = int(rng.integers(4, 12)), 0
    made: list[tuple[int, int, int]] = []
    while len(made) < count:
        free = space - sum(size for size, _, end in made if end >= time)
        while free and len(made) < count:
            size = int(rng.integers(1, min(free, rng.choice([2, 3, 5, space])) + 1))
            made.append((size, time, time + int(rng.choice([0, 1, 1, 2, 2, 3, 4, 6]))))
            free -= size
        time += 1
    last = [max(i for i, (_, t, _) in enumerate(made) if t <= end) for _, _, end in made]
    return list(enumerate(last)), [16 * size for size, _, _ in made]


def _net(
    lifetimes: Lifetimes, sizes: Sequence[int], scratch: Mapping[int, int] | None = None
) -> Program:
    """Return a program that has these lifetimes; sizes are bytes a token."""
    count, taken = len(lifetimes), scratch or {}
    reads = [[f"b{i}" for i, last in lifetimes if last == s and i < s] for s in range(count + 1)]
    reads[-1] = reads[-1] or [f"b{count - 1}"]
    lines: list[Line] = [
        (f"b{i}", reads[i] or ["ids"], [f"s{i}"] if i in taken else []) for i in range(count)
    ]
    lines.append(("logits", reads[-1], []))
    named = {f"b{i}": size for i, size in enumerate(sizes)}
    return program(lines, named | {f"s{i}": size for i, size in taken.items()})
