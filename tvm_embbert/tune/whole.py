"""The whole model with tuned kernels: which points, which tiles, and whether it really gained.

A kernel is tuned alone. Its count carries over to the model, but the scratch that it takes and the
tiles that its blocks want are the model's matter: they are weighed here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tvm_embbert.compiled import LIBRARY, library_sources
from tvm_embbert.fusion.segments import HEIGHTS
from tvm_embbert.lowering import Lowered, MemoryOptions, lower
from tvm_embbert.measure import EmulatorSession, build_image
from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.target import Target
from tvm_embbert.tune.records import LOOPS, Point, Record, Schedules
from tvm_embbert.tune.signature import program_key
from tvm_embbert.tune.task import sentence

Records = Mapping[str, Sequence[Record]]
"""By operator."""

SLACK = 100
"""Tuned kernels may add a hundredth to the arena, unless a limit is given."""


@dataclass(frozen=True, eq=False)
class Counted:
    """A lowered model and what was counted: in all, and by the names of steps."""

    lowered: Lowered
    total: int
    steps: dict[str, int]

    @property
    def arena(self) -> int:
        """Return the bytes of the arena."""
        return self.lowered.plan.arena

    def by_operator(self) -> dict[str, int]:
        """Return the count of each operator."""
        totals: dict[str, int] = {}
        for step in self.lowered.program.steps:
            totals[step.operator] = totals.get(step.operator, 0) + self.steps[step.name]
        return totals


def count(lowered: Lowered, ids: Sequence[int]) -> Counted:
    """Build and run a model in the emulator, once as it is and once with marks at its steps."""
    with tempfile.TemporaryDirectory(prefix="tvm-embbert-tune-") as name:
        folder = Path(name)
        lowered.library.write(folder / LIBRARY)
        sources = library_sources(folder, lowered.names)
        plain = build_image(sources, lowered.target, folder / "plain")
        with EmulatorSession(plain) as session:
            total = session.infer(ids).instructions or 0
        marked = build_image(sources, lowered.target, folder / "marked", profile=True)
        with EmulatorSession(marked) as session:
            steps = session.profile(ids)
    named = zip((s.name for s in lowered.program.steps), steps, strict=True)
    return Counted(lowered, total, dict(named))


@dataclass(frozen=True, eq=False)
class Whole:
    """Makes whole models of one module for one target."""

    module: IntegerModule
    target: Target
    length: int
    overrides: Mapping[str, str]

    @property
    def ids(self) -> list[int]:
        """Return a sentence to count on."""
        return [int(i) for i in sentence(self.module, self.length, seed=0)]

    def lower(self, schedules: Schedules, tile_rows: int | None = None) -> Lowered:
        """Lower the model with records, and tiles of some rows if they are given."""
        options = MemoryOptions(tile_rows=tile_rows)
        return lower(
            self.module, self.target, "tuned", (), None, self.overrides, options, schedules
        )

    def candidates(self, records: Records, limit: int) -> Iterator[Lowered]:
        """Yield models with tuned kernels whose arena is within a limit.

        Kernels with all the scratch that they like first; only where no tiles fit, with less.
        """
        schedules = as_schedules(records)
        for chosen in (schedules, *schedules.frugal()):
            usual = self.lower(chosen)
            lowered = [usual, *(self.lower(chosen, rows) for rows in heights_of(usual))]
            fitting = [low for low in lowered if low.plan.arena <= limit]
            if fitting:
                yield from _distinct(fitting)
                return

    def best(self, records: Records, limit: int, told: Callable[[Counted], None]) -> Counted | None:
        """Return the model with the fewest instructions within a limit of arena, if any fits."""
        best: Counted | None = None
        for lowered in self.candidates(records, limit):
            counted = count(lowered, self.ids)
            told(counted)
            if best is None or counted.total < best.total:
                best = counted
        return best


def heights_of(lowered: Lowered) -> list[int]:
    """Return rows of tiles that may be worth a try: those that blocks of kernels fill."""
    blocks = [step.row_block for step in lowered.program.steps if step.tileable]
    return [rows for rows in HEIGHTS if rows % max(blocks, default=1) == 0]


def _distinct(models: Sequence[Lowered]) -> Iterator[Lowered]:
    """Yield models whose loops differ."""
    seen = set()
    for lowered in models:
        if lowered.program.loops not in seen:
            seen.add(lowered.program.loops)
            yield lowered


def as_schedules(records: Records) -> Schedules:
    """Return records that were just made, ready to make kernels by."""
    named = {r.key: (r, f"{op}.json") for op, found in records.items() for r in found}
    return Schedules(named)


def without_losses(records: Records, before: Counted, after: Counted) -> dict[str, list[Record]]:
    """Return the records of the operators that do not take more in the whole model.

    Both models must have been counted with the same tiles, or tiles are part of what is compared.
    """
    lost = {
        name for name, total in after.by_operator().items() if total > before.by_operator()[name]
    }
    return {op: ([] if op in lost else list(found)) for op, found in records.items()}


def used_points(records: Records, counted: Counted) -> dict[str, list[Record]]:
    """Return the records with the points that a model was made by at their heads.

    Points with more scratch are left out: they did not fit.
    """
    used = {record.key: point for record, point, _ in counted.lowered.schedules.used.values()}

    def cut(record: Record) -> Record:
        first = used.get(record.key, record.points[0])
        points = record.points[record.points.index(first) :]
        return replace(record, points=points)

    return {op: [cut(r) for r in found] for op, found in records.items()}


def loops_record(before: Counted, after: Counted) -> Record | None:
    """Return the record of the tiles that were best; None where the compiler chooses them too."""
    lowered = after.lowered
    rows = lowered.options.tile_rows
    if rows is None:
        return None
    point = Point({"tile_rows": rows}, after.total, after.arena, 0)
    length = lowered.plan.length
    key = program_key(lowered.program, length)
    return Record(LOOPS, key, rows, length, before.total, (point,))
