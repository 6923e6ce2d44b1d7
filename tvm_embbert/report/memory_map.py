"""Geometry of the memory map: a pool's buffers over the steps, in pixels of an SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tvm_embbert.report.summary import Buffer, Step

PLOT = 340.0
"""Height of the whole pool."""
TOP = 52.0
"""Room above the pool, for the names of loops and of the pool's end."""
GLYPH = 6.3
"""Width of a letter at the map's size of type; an upper estimate."""
LONGEST = 26
"""Letters of a name that are written out; the tooltip has them all."""
COLOURS = 8
"""Operators with a colour of their own; the others share one more."""


@dataclass(frozen=True)
class Box:
    """A buffer: its bytes upwards, its steps to the right."""

    buffer: Buffer
    x: float
    y: float
    width: float
    height: float
    colour: int
    label: str
    tip: str


@dataclass(frozen=True)
class Mark:
    """A place on an axis, and what is written there."""

    at: float
    label: str
    tip: str = ""


@dataclass(frozen=True)
class Band:
    """Steps that run tile by tile."""

    x: float
    width: float
    label: str
    label_x: float
    label_y: float


@dataclass(frozen=True)
class MemoryMap:
    """What the template draws; the offset 0 is at the bottom."""

    width: float
    height: float
    base: float
    size: float
    bound: float | None
    boxes: Sequence[Box]
    ticks: Sequence[Mark]
    steps: Sequence[Mark]
    bands: Sequence[Band]


@dataclass(frozen=True)
class Scale:
    """From bytes and steps to pixels."""

    bytes: int
    column: float

    def y(self, offset: int) -> float:
        """Return the height of an offset, in pixels from the top."""
        return TOP + PLOT * (1 - offset / self.bytes)

    def x(self, step: int) -> float:
        """Return where a step begins, in pixels from the left."""
        return self.column * step


def draw_map(
    report: Mapping[str, Any],
    pool: Mapping[str, Any],
    bound: int | None,
    buffers: Sequence[Buffer],
    steps: Sequence[Step],
    colours: Mapping[str, int],
) -> MemoryMap:
    """Return the map of a pool.

    Parameters
    ----------
    report : mapping
        The report, for its loops.
    pool : mapping
        ``name`` and ``size`` of the pool, in bytes.
    bound : int or None
        Bytes that no plan can do without.
    buffers : sequence of mappings
        The pool's buffers.
    steps : sequence of Step
        All steps of the model.
    colours : mapping
        From an operator to the number of its colour.
    """
    ends = [b["offset"] + b["size"] for b in buffers]
    tallest = max(1, pool["size"], bound or 0, *ends)
    scale = Scale(tallest, min(150.0, max(30.0, 900 / max(1, len(steps)))))
    letters = max((len(_short(_numbered(step))) for step in steps), default=0)
    return MemoryMap(
        width=scale.x(max(1, len(steps))),
        height=TOP + PLOT + GLYPH * letters + 16,
        base=scale.y(0),
        size=scale.y(pool["size"]),
        bound=None if bound is None else scale.y(bound),
        boxes=[_box(b, buffers, steps, colours, scale) for b in buffers],
        ticks=_ticks(scale),
        steps=[_step(step, scale) for step in steps],
        bands=_bands(report.get("loops") or [], scale, len(steps)),
    )


def describe(buffer: Buffer, steps: Sequence[Step]) -> str:
    """Return a buffer in a line: name, bytes, offset, steps, kind, and whose memory it takes."""
    first, last = buffer["first_use"], buffer["last_use"]
    life = f"step {_numbered(steps[first])}"
    if last > first:
        life = f"steps {_numbered(steps[first])} to {_numbered(steps[last])}"
    parts = [f"{buffer['name']}: {buffer['size']:,} bytes at offset {buffer['offset']:,}", life]
    parts += [buffer["kind"]] if buffer.get("kind") else []
    parts += [f"takes over {buffer['shares']}"] if buffer.get("shares") else []
    return "; ".join(parts)


def _box(
    buffer: Buffer,
    buffers: Sequence[Buffer],
    steps: Sequence[Step],
    colours: Mapping[str, int],
    scale: Scale,
) -> Box:
    x, end = scale.x(buffer["first_use"]), scale.x(buffer["last_use"] + 1)
    y, base = scale.y(buffer["offset"] + buffer["size"]), scale.y(buffer["offset"])
    free = scale.x(_taken_over(buffer, buffers)) - x
    return Box(
        buffer=buffer,
        x=x,
        y=y,
        width=end - x,
        height=base - y,
        colour=colours[steps[buffer["first_use"]].operator],
        label=_fitting(buffer["name"], free, base - y),
        tip=describe(buffer, steps),
    )


def _taken_over(buffer: Buffer, buffers: Sequence[Buffer]) -> int:
    """Return the step from which a later buffer covers this one, or the one behind its last."""
    start, end, first = buffer["offset"], buffer["offset"] + buffer["size"], buffer["first_use"]
    over = (b for b in buffers if b["offset"] < end and start < b["offset"] + b["size"])
    later = [int(b["first_use"]) for b in over if b["first_use"] > first]
    return min([*later, int(buffer["last_use"]) + 1])


def _fitting(name: str, width: float, height: float) -> str:
    """Return as much of a name as goes into a box; nothing where that would tell nothing."""
    letters = int((width - 6) / GLYPH)
    fits = letters >= min(4, len(name)) and height >= 13
    return _short(name, letters) if fits else ""


def _ticks(scale: Scale) -> list[Mark]:
    """Return a line each power of two of KiB, of bytes in a small pool: eight at most."""
    distance = 1
    while distance * 8 < scale.bytes:
        distance *= 2
    return [
        Mark(scale.y(offset), f"{offset / 1024:g} KiB" if distance >= 256 else f"{offset} B")
        for offset in range(0, scale.bytes + 1, distance)
    ]


def _step(step: Step, scale: Scale) -> Mark:
    rows = f", rows: {step.rows}" if step.rows else ""
    middle = scale.x(step.index) + scale.column / 2
    return Mark(middle, _short(_numbered(step)), f"{_numbered(step)} ({step.operator}){rows}")


def _bands(loops: Sequence[Mapping[str, Any]], scale: Scale, count: int) -> list[Band]:
    """Return the loops; their names alternate in height, as a short loop's is wider than it."""
    bands = []
    for number, loop in enumerate(loops):
        x, label = scale.x(loop["first_step"]), f"tiles of {loop['tile_rows']} rows"
        width = scale.x(loop["last_step"] + 1) - x
        label_x = max(0.0, min(x, scale.x(count) - GLYPH * len(label)))
        bands.append(Band(x, width, label, label_x, 12.0 + 14 * (number % 2)))
    return bands


def _numbered(step: Step) -> str:
    return f"{step.index} {step.name}".strip()


def _short(text: str, letters: int = LONGEST) -> str:
    return text if len(text) <= letters else text[: max(0, letters - 1)] + "…"
