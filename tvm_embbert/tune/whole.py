"""The whole model with tuned kernels: which points, which tiles, and whether it really gained.

A kernel is tuned alone. Its count carries over to the model, but the scratch that it takes and the
tiles that its blocks want are the model's matter: they are weighed here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tvm_embbert.compiled import LIBRARY, library_sources
from tvm_embbert.fusion.segments import HEIGHTS
from tvm_embbert.lowering import DEFAULT_MEMORY, Lowered, MemoryOptions, lower
from tvm_embbert.measure import EmulatorSession, build_image, memory_use
from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.target import Target
from tvm_embbert.tune.records import Record
from tvm_embbert.tune.schedules import Schedules, no_schedules
from tvm_embbert.tune.task import sentence

Records = Mapping[str, Sequence[Record]]
"""By operator."""

TOLERANCE = 16
SLACK = 100
"""Tuned kernels may add a hundredth to the arena, unless a limit is given."""


@dataclass(frozen=True)
class Limits:
    """Bytes that the arena of a tuned model may take, and its code if that is limited."""

    arena: int
    code: int | None = None

    def kept_by(self, counted: Counted) -> bool:
        """Return whether a model keeps them."""
        return counted.arena <= self.arena and not self.excess(counted)

    def excess(self, counted: Counted) -> int:
        """Return by how many bytes a model's code is too large."""
        return max(0, counted.code - self.code) if self.code is not None else 0


@dataclass(frozen=True, eq=False)
class Counted:
    """A lowered model and what was counted: in all, and by the names of steps; bytes of the image's
    RAM and flash in all, and of the library's code."""

    lowered: Lowered
    total: int
    steps: dict[str, int]
    ram: int = 0
    flash: int = 0
    code: int = 0

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
        use = memory_use(plain.map_file)
        marked = build_image(sources, lowered.target, folder / "marked", profile=True)
        with EmulatorSession(marked) as session:
            steps = session.profile(ids)
    named = zip((s.name for s in lowered.program.steps), steps, strict=True)
    return Counted(lowered, total, dict(named), use.ram.total, use.flash.total, use.flash.code)


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

    def lower(
        self,
        schedules: Schedules,
        tile_rows: int | None = None,
        options: MemoryOptions = DEFAULT_MEMORY,
    ) -> Lowered:
        """Lower the model with records, and tiles of some rows if they are given."""
        options = options if tile_rows is None else replace(options, tile_rows=tile_rows)
        return lower(
            self.module, self.target, "tuned", (), None, self.overrides, options, schedules
        )

    def fitting(self, records: Records, limit: int, rows: int) -> list[Lowered]:
        """Return models with tuned kernels whose arena is within a limit, with different loops:
        those that the compiler chooses, and tiles of some rows.

        Kernels have all the scratch that they like if that fits, else those at the peak get less.
        """
        tried = (self._fitted(records, limit, tiles) for tiles in (rows, None))
        found = {m.program.loops: m for m in tried if m is not None}
        return list(reversed(found.values()))

    def _fitted(self, records: Records, limit: int, rows: int | None) -> Lowered | None:
        """Return a model within a limit; None where the arena takes more, whatever kernels take."""
        kept: Records | None = records
        while kept is not None:
            lowered = self.lower(as_schedules(kept), rows)
            if lowered.plan.arena <= limit:
                return lowered
            kept = _less_scratch(kept, lowered)
        return None

    def heights(self, limit: int) -> list[int]:
        """Return the rows of tiles with which a model may keep a limit of arena.

        Tuned kernels can take a little less scratch than the untuned ones that are planned here.
        """
        plans = {rows: self.lower(no_schedules(), rows).plan for rows in HEIGHTS}
        allowed = limit + limit // TOLERANCE
        return [rows for rows, plan in plans.items() if plan.arena <= allowed]


def as_schedules(records: Records) -> Schedules:
    """Return records that were just made, ready to make kernels by."""
    named = {r.key: (r, f"{op}.json") for op, found in records.items() for r in found}
    return Schedules(named)


def _less_scratch(records: Records, lowered: Lowered) -> dict[str, list[Record]] | None:
    """Return the records without the first point of one whose scratch is at the arena's peak.

    The one whose next point costs least; None where there is none.
    """
    peak = {block.name for block in lowered.plan.at_peak()}
    full = [s.name for s in lowered.program.steps if peak & {*s.scratch}]
    used = [record for record, *_ in lowered.schedules.used.values()]
    there = [lowered.schedules.used[n][0] for n in full if n in lowered.schedules.used]
    costs = {r.key: _next_cost(r) * used.count(r) for r in there if len(r.points) > 1}
    if not costs:
        return None
    least = min(costs, key=lambda key: (costs[key], key))

    def cut(record: Record) -> Record:
        return replace(record, points=record.points[1:]) if record.key == least else record

    return {op: [cut(r) for r in found] for op, found in records.items()}


def _next_cost(record: Record) -> float:
    """Return what a row takes more by the next point than by the first."""
    first, second = record.points[:2]
    return (second.count - first.count) / max(1, record.rows)


def losses(before: Counted, after: Counted) -> dict[str, int]:
    """Return by how much each operator takes more than before, of those that do."""
    old, new = before.by_operator(), after.by_operator()
    return {name: new[name] - old[name] for name in old if new[name] > old[name]}


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
