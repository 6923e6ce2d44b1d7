"""The front as a picture: RAM against instructions, a dot a point, by no plotting library."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from tvm_embbert.tune.pareto import FrontPoint

WIDTH, HEIGHT, MARGIN = 640, 400, 70
_STYLE = "font: 12px sans-serif"


def front_svg(points: Sequence[FrontPoint], title: str) -> str:
    """Return an SVG: bytes of RAM to the right, instructions upwards, the rows of tiles at dots.

    Parameters
    ----------
    points : sequence of FrontPoint
        At least one.
    title : str
        What was tuned.
    """
    rams = [p.counted.ram for p in points]
    counts = [p.counted.total for p in points]
    places = list(zip(_spread(rams, WIDTH), _spread([-c for c in counts], HEIGHT), strict=True))
    line = " ".join(f"{x},{y}" for x, y in sorted(places))
    dots = "\n".join(_dot(p, *place) for p, place in zip(points, places, strict=True))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n'
        f"{_text(WIDTH // 2, 20, title, 'middle')}\n"
        f"{_axes(rams, counts)}\n"
        f'<polyline points="{line}" fill="none" stroke="steelblue"/>\n'
        f"{dots}\n</svg>\n"
    )


def _spread(values: Sequence[int], size: int) -> list[int]:
    """Return a place between the margins for each value, the least first."""
    least, range_ = min(values), max(values) - min(values) or 1
    return [MARGIN + (v - least) * (size - 2 * MARGIN) // range_ for v in values]


def _dot(point: FrontPoint, x: int, y: int) -> str:
    c = point.counted
    told = f"{c.total:,} instructions, RAM {c.ram:,}, flash {c.flash:,}, arena {c.arena:,} bytes"
    dot = f'<circle cx="{x}" cy="{y}" r="4" fill="steelblue"><title>{told}</title></circle>'
    return f"{dot}{_text(x + 6, y - 6, str(point.tile_rows), 'start')}"


def _axes(rams: Sequence[int], counts: Sequence[int]) -> str:
    left, bottom = MARGIN - 15, HEIGHT - MARGIN + 15
    lines = f'<path d="M{left},{MARGIN} V{bottom} H{WIDTH - MARGIN}" fill="none" stroke="black"/>'
    texts = [
        _text(MARGIN, bottom + 18, f"{min(rams):,}", "start"),
        _text(WIDTH - MARGIN, bottom + 18, f"{max(rams):,}", "end"),
        _text(WIDTH // 2, bottom + 36, "bytes of RAM (numbers: rows of tiles)", "middle"),
        _text(4, MARGIN - 8, f"{max(counts):,} instructions", "start"),
        _text(4, bottom - 4, f"{min(counts):,}", "start"),
    ]
    return "\n".join([lines, *texts])


def _text(x: int, y: int, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" style="{_STYLE}" text-anchor="{anchor}">{escape(text)}</text>'
