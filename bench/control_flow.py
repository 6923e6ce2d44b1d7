"""The loops of a function in machine code, and the ways through them.

A loop is a strongly connected part of the function's control flow, and again each such part of
what is left of it without the branches to its head, the place where it is entered. A turn of an
innermost loop is any way from its head back to it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass

from tvm_embbert.measure.instruction import Instruction

_TARGET = re.compile(r"(?:^|[\s,])([0-9a-f]+) <")
_LOOP_ENDS = re.compile(r"(?:le|letp|wls|wlstp\.\d+) ")
"""Branches of Armv8.1-M's low-overhead loops."""
_BY_TABLE = ("tbb", "tbh", "jr")


@dataclass(frozen=True)
class Line:
    """An instruction of a function with its address."""

    address: int
    instruction: Instruction

    @property
    def name(self) -> str:
        """The mnemonic."""
        return str(self.instruction).partition(" ")[0]

    @property
    def target(self) -> int | None:
        """The address that it branches to, if it names one; a call's is not one."""
        text = str(self.instruction)
        if _LOOP_ENDS.match(text):
            found = _TARGET.search(text)
            return int(found[1], 16) if found else None
        return None if self.instruction.is_call else self.instruction.target

    @property
    def goes_anywhere(self) -> bool:
        """Whether it branches to a place that a table or a register has."""
        jumps = self.name in _BY_TABLE or (self.instruction.is_indirect and self.instruction.ends)
        return jumps and self.target is None


@dataclass(frozen=True)
class Loop:
    """The instructions of a loop, as positions in its function; `head` is where a turn begins."""

    head: int
    body: frozenset[int]


class ControlFlow:
    """Which instruction may follow which in a function."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = lines
        self._places = {line.address: place for place, line in enumerate(lines)}
        self.following = [self._following(place) for place in range(len(lines))]
        self.reached = frozenset(self._postorder(0, range(len(lines))))
        self._before: list[list[int]] = [[] for _ in lines]
        for place in self.reached:
            for f in self.following[place]:
                self._before[f].append(place)

    def innermost(self) -> list[Loop] | None:
        """Return the loops that have no other in them, in order, or None if nobody can tell.

        That is so where a branch goes wherever a table says, or a loop around others is entered at
        several places.
        """
        if any(line.goes_anywhere for line in self.lines):
            return None
        found: list[Loop] = []
        waiting = self._cyclic(self.reached, frozenset())
        while waiting:
            part, cut = waiting.pop()
            entries = sorted(p for p in part if p == 0 or not part.issuperset(self._before[p]))
            within = {head: self._cyclic(part, cut | {head}) for head in entries}
            head = next((h for h, inner in within.items() if not inner), None)
            if head is not None:
                found.append(Loop(head, part))
            elif len(entries) > 1:
                return None
            else:
                waiting += within[entries[0]]
        return sorted(found, key=lambda loop: loop.head)

    def ways(
        self, head: int, body: Collection[int], weights: Sequence[float]
    ) -> tuple[tuple[int, float], tuple[int, float]]:
        """Return instructions and weight of the shortest and the longest way through a body.

        It begins at `head` and ends where that comes next, or, where it never does, where no
        instruction of the body does. The body has no other cycles.
        """
        cyclic = any(head in self.following[p] for p in body)
        found: dict[int, tuple[tuple[int, float], tuple[int, float]]] = {}
        for place in self._postorder(head, body):
            behind = [f for f in self.following[place] if f in body and f != head]
            ends = head in self.following[place] if cyclic else not behind
            options = [found[f] for f in behind if f in found]
            options += [((0, 0.0), (0, 0.0))] if ends else []
            if options:
                (least, a), (most, b) = min(o[0] for o in options), max(o[1] for o in options)
                own = weights[place]
                found[place] = ((least + 1, a + own), (most + 1, b + own))
        return found[head]

    def _following(self, place: int) -> list[int]:
        line = self.lines[place]
        target = None if line.target is None else self._places.get(line.target)
        runs_on = not line.instruction.ends and place + 1 < len(self.lines)
        return [*([place + 1] if runs_on else []), *([] if target is None else [target])]

    def _cyclic(
        self, part: Set[int], cut: frozenset[int]
    ) -> list[tuple[frozenset[int], frozenset[int]]]:
        """Return the strongly connected parts of a part without the branches to `cut`; `cut` again.

        By Kosaraju's algorithm: against the arrows, from the places that others follow last.
        """
        order: dict[int, None] = {}
        for place in sorted(part):
            if place not in order:
                order |= dict.fromkeys(self._postorder(place, part - order.keys() - cut))
        found, left = [], set(part)
        for place in reversed(order):
            if place in left:
                strong = self._backwards(place, left, cut)
                left -= strong
                if len(strong) > 1 or (place in self.following[place] and place not in cut):
                    found.append((frozenset(strong), cut))
        return found

    def _backwards(self, start: int, part: Set[int], cut: Set[int]) -> set[int]:
        """Return the places of a part from which there is a way to `start`."""
        reached, waiting = {start}, [start]
        while waiting:
            place = waiting.pop()
            before = () if place in cut else self._before[place]
            new = [p for p in before if p in part and p not in reached]
            reached.update(new)
            waiting += new
        return reached

    def _postorder(self, head: int, body: Collection[int]) -> list[int]:
        """Return the places of a body, each behind all that follow it; without recursion."""
        order: list[int] = []
        seen, waiting = {head}, [(head, iter(self.following[head]))]
        while waiting:
            place, rest = waiting[-1]
            new = next((f for f in rest if f in body and f not in seen), None)
            if new is None:
                order.append(place)
                waiting.pop()
            else:
                seen.add(new)
                waiting.append((new, iter(self.following[new])))
        return order
