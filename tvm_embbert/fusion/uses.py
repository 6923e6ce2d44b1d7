"""Which buffers a segment of an order keeps whole, and which exist for one tile only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from tvm_embbert.memory.liveness import aligned
from tvm_embbert.program.in_place import widens
from tvm_embbert.program.program import Access, Program, Step


@dataclass(frozen=True)
class Span:
    """Bytes that are in use from one position of an order to another.

    ``whole`` bytes at the greatest length, or `row` bytes for each row of the tile and for each of
    the `history` rows that are kept in front of it.
    """

    first: int
    last: int
    whole: int = 0
    row: int = 0
    history: int = 0

    def bytes(self, rows: int, alignment: int) -> int:
        """Return the bytes that it takes in tiles of `rows` rows."""
        return aligned(self.whole + self.row * (self.history + rows), alignment)


@dataclass(frozen=True)
class Tensor:
    """A buffer in an order: who makes it, who reads it, how, and its bytes."""

    name: str
    made: int
    readers: tuple[tuple[int, tuple[Access, ...], int], ...]
    whole: int
    row: int
    external: bool

    @cached_property
    def last(self) -> int:
        """Return the position of the last step that touches it."""
        return max((r[0] for r in self.readers), default=self.made)

    def is_local(self, first: int, last: int) -> bool:
        """Return whether it exists for one tile only in a loop from `first` to `last`."""
        within = first <= self.made and self.last <= last and not self.external
        return within and not self.has(Access.WHOLE, first, last)

    def has(self, access: Access, first: int, last: int) -> bool:
        """Return whether a step from `first` to `last` touches it so."""
        return any(access in a for i, a, _ in self.readers if first <= i <= last)

    @property
    def history(self) -> int:
        """Return the rows in front of a tile that its readers need."""
        return max((w for _, a, w in self.readers if Access.WINDOW in a), default=0)


class Uses:
    """The tensors and scratch of a program in one order, at its greatest length."""

    def __init__(self, program: Program, order: Sequence[int], length: int) -> None:
        self.steps: list[Step] = [program.steps[i] for i in order]
        self._program, self._length = program, length
        self.tensors = [self._tensor(n) for n in self._made()]
        self._by_name = {t.name: t for t in self.tensors}

    def can_loop(self, first: int, last: int) -> bool:
        """Return whether the steps from `first` to `last` can run tile by tile."""
        if not all(s.tileable for s in self.steps[first : last + 1]):
            return False
        inside = [t for t in self.tensors if first <= t.made <= last]
        return not any(t.has(Access.WHOLE, first, last) for t in inside)

    def spans(self, first: int, last: int) -> list[Span]:
        """Return what is in use while the steps `first` to `last` run, in a loop if several."""
        looped = last > first
        made = [s for t in self.tensors if (s := self._span(t, first, last, looped)) is not None]
        return made + [s for i in range(first, last + 1) for s in self._scratch(i, looped)]

    def _span(self, t: Tensor, first: int, last: int, looped: bool) -> Span | None:
        if t.external or t.last < first or t.made > last or self._taken(t, first, last):
            return None
        if not looped or not t.is_local(first, last):
            return Span(first, last, whole=self._room(t, first, last).whole)
        if t.history:
            return Span(first, last, row=t.row, history=t.history)
        return Span(t.made, self._end(t, first, last), row=self._room(t, first, last).row)

    def _taken(self, t: Tensor, first: int, last: int) -> bool:
        """Return whether the tensor lies in the memory of another that is counted already."""
        source = self._by_name.get(self.steps[t.made].takes) if first <= t.made <= last else None
        return source is not None and self._may_take(source, t, first, last)

    def _may_take(self, source: Tensor, result: Tensor, first: int, last: int) -> bool:
        looped = last > first
        local = looped and source.is_local(first, last)
        alike = local == (looped and result.is_local(first, last))
        moved = source.history or result.history if local else 0
        others = any(source.has(a, first, last) for a in (Access.WHOLE, Access.WINDOW))
        dead = source.last == result.made and not source.external and not result.external
        buffers = self._program.buffers
        alike = alike and widens(buffers[source.name], buffers[result.name])
        return dead and alike and not moved and not (looped and others)

    def _end(self, t: Tensor, first: int, last: int) -> int:
        """Return where the tensor's memory is last in use, by those that take it over too."""
        return max([t.last, *(self._end(h, first, last) for h in self._heirs(t, first, last))])

    def _room(self, t: Tensor, first: int, last: int) -> Tensor:
        """Return the largest of the tensors that lie in the tensor's memory."""
        heirs = [self._room(h, first, last) for h in self._heirs(t, first, last)]
        return max([t, *heirs], key=lambda x: x.whole)

    def _heirs(self, t: Tensor, first: int, last: int) -> list[Tensor]:
        """Return the tensors that are made in the tensor's memory."""
        made = [h for h in self.tensors if first <= h.made <= last]
        heirs = [h for h in made if self.steps[h.made].takes == t.name]
        return [h for h in heirs if self._may_take(t, h, first, last)]

    def _scratch(self, index: int, looped: bool) -> list[Span]:
        step, made = self.steps[index], []
        for name in step.scratch:
            buffer = self._program.buffers[name]
            if looped and step.accesses(name) == [Access.ROWS]:
                made.append(Span(index, index, row=buffer.size(2) - buffer.size(1)))
            else:
                made.append(Span(index, index, whole=buffer.size(self._length)))
        return made

    def _made(self) -> list[str]:
        return [step.writes for step in self.steps]

    def _tensor(self, name: str) -> Tensor:
        buffer = self._program.buffers[name]
        readers = tuple(
            (i, tuple(s.accesses(name)), s.window)
            for i, s in enumerate(self.steps)
            if name in s.reads
        )
        made = self._made().index(name)
        row = buffer.size(2) - buffer.size(1)
        external = name == self._program.result
        return Tensor(name, made, readers, buffer.size(self._length), row, external)
