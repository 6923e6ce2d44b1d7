"""The front of a tuned model: instructions against RAM and flash, each point measured whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tvm_embbert.lowering import Lowered
from tvm_embbert.strategy.knobs import Value
from tvm_embbert.tune.records import LOOPS, Point, Record
from tvm_embbert.tune.schedules import Schedules
from tvm_embbert.tune.signature import program_key
from tvm_embbert.tune.whole import Counted, Whole

HEIGHTS = (1, 2, 4, 8, 16, 32, 64, 128)
"""Rows of tiles that are measured: about half as much arena from each to the one before."""


@dataclass(frozen=True, eq=False)
class FrontPoint:
    """A whole model: the rows of its tiles, the scratch that kernels may take, what was counted."""

    tile_rows: int
    scratch: int | None
    counted: Counted

    def as_json(self) -> dict[str, int | None]:
        """Return the figures: bytes, and instructions or cycles."""
        return {
            "tile_rows": self.tile_rows,
            "scratch": self.scratch,
            "arena": self.counted.arena,
            "ram": self.counted.ram,
            "flash": self.counted.flash,
            "instructions": self.counted.total,
        }


def measure_front(
    whole: Whole, schedules: Schedules, count: Callable[[Lowered], Counted]
) -> list[FrontPoint]:
    """Return the points that no other beats in instructions, RAM and flash, the fastest first.

    Parameters
    ----------
    whole : Whole
        Makes the models.
    schedules : Schedules
        Records of the tuned kernels; their points with less scratch are tried where all others
        take more arena.
    count : callable
        Counts a model.
    """
    variants = _variants(whole, schedules)
    return front_of([FrontPoint(rows, scratch, count(made)) for scratch, rows, made in variants])


def front_of(points: Sequence[FrontPoint]) -> list[FrontPoint]:
    """Return the points that no other beats, the fastest first."""
    ordered = sorted(points, key=lambda p: _figures(p.counted))
    kept: list[FrontPoint] = []
    for point in ordered:
        if not any(_beats(k.counted, point.counted) for k in kept):
            kept.append(point)
    return kept


def _beats(one: Counted, other: Counted) -> bool:
    pairs = zip(_figures(one), _figures(other), strict=True)
    return all(a <= b for a, b in pairs)


def _figures(counted: Counted) -> tuple[int, int, int]:
    return counted.total, counted.ram, counted.flash


def _variants(whole: Whole, schedules: Schedules) -> Iterator[tuple[int | None, int, Lowered]]:
    """Yield models from tall tiles to low ones, then with less scratch where that saves arena."""
    least: int | None = None
    for chosen in (schedules, *schedules.frugal()):
        for rows in sorted(HEIGHTS, reverse=True):
            lowered = whole.lower(chosen, rows)
            if least is None or lowered.plan.arena < least or chosen is schedules:
                least = min(least or lowered.plan.arena, lowered.plan.arena)
                yield chosen.scratch, rows, lowered


def front_record(before: Counted, after: Counted, points: Sequence[FrontPoint]) -> Record | None:
    """Return the record of a program's tiles: the one that is usual first, then the front.

    None where the compiler chooses the best by itself and no front was measured.
    """
    lowered = after.lowered
    rows = lowered.options.tile_rows
    usual = [] if rows is None else [Point({"tile_rows": rows}, after.total, after.arena, 0)]
    front = [_point(p) for p in points]
    if not usual and not front:
        return None
    length = lowered.plan.length
    key = program_key(lowered.unfused, length)
    return Record(LOOPS, key, rows or 0, length, before.total, (*usual, *front))


def _point(point: FrontPoint) -> Point:
    limit: dict[str, Value] = {} if point.scratch is None else {"scratch": point.scratch}
    config: dict[str, Value] = {"tile_rows": point.tile_rows, **limit, "front": 1}
    return Point(config, point.counted.total, point.counted.arena, 0)
