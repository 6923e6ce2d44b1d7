"""The memory map is drawn to scale, and its colours can be told apart and read on."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from page_tree import parse, pools, style
from sample_report import full_report, oldest_report

from tvm_embbert.report.html import render_html
from tvm_embbert.report.summary import in_pool

Report = dict[str, Any]

every_form = pytest.mark.parametrize("make", [oldest_report, full_report])


@every_form
def test_every_buffer_is_drawn_where_it_lies(make: Callable[[], Report]) -> None:
    report = make()
    for section, pool in pools(parse(render_html(report)), report):
        svg = section.by_id(f"{section['id']}-map")
        base, top = svg.one("line", "base").number("y1"), svg.one("line", "size").number("y1")
        scale = pool["size"] / (base - top)
        column = svg.number("width") / len(svg.all("text", "step"))
        boxes = svg.all("rect", "buffer")
        buffers = in_pool(report, pool["name"])
        assert len(boxes) == len(buffers) > 0
        for box, buffer in zip(boxes, buffers, strict=True):
            left, width = box.number("x") / column, box.number("width") / column
            bottom = box.number("y") + box.number("height")
            # Coordinates have three digits behind the point.
            assert (base - bottom) * scale == pytest.approx(buffer["offset"], abs=0.5)
            assert box.number("height") * scale == pytest.approx(buffer["size"], abs=0.5)
            assert left == pytest.approx(buffer["first_use"], abs=1e-4)
            assert left + width == pytest.approx(buffer["last_use"] + 1, abs=1e-4)
            tip = box.one("title").text
            assert tip.startswith(f"{buffer['name']}: {buffer['size']:,} bytes")
            assert f"offset {buffer['offset']:,};" in tip


def test_steps_stand_below_their_columns() -> None:
    report = full_report()
    for section, _ in pools(parse(render_html(report)), report):
        svg = section.by_id(f"{section['id']}-map")
        labels = svg.all("text", "step")
        column = svg.number("width") / len(labels)
        for index, (label, step) in enumerate(zip(labels, report["steps"], strict=True)):
            x = float(re.findall(r"translate\(([\d.]+)", label["transform"])[0])
            assert column * index < x < column * (index + 1)
            assert label.own_text == f"{index} {step['name']}"
            assert f"({step['operator']}), rows: {step['rows']}" in label.one("title").text


def test_lower_bound_size_and_grid_are_drawn_to_scale() -> None:
    report = full_report()
    for section, pool in pools(parse(render_html(report)), report):
        svg = section.by_id(f"{section['id']}-map")
        base, top = svg.one("line", "base").number("y1"), svg.one("line", "size").number("y1")
        bound = svg.one("line", "bound")
        drawn = pool["size"] * (base - bound.number("y1")) / (base - top)
        assert drawn == pytest.approx(pool["lower_bound"], abs=0.5)
        edges = [t.text for t in svg.all("text", "edge")]
        assert edges == [f"size {pool['size']:,}", f"lower bound {pool['lower_bound']:,}"]
        ticks = [
            float(t.text.removesuffix(" KiB")) * 1024
            for t in section.all("text")
            if t.text.endswith("KiB")
        ]
        lines = [
            (base - g.number("y1")) * pool["size"] / (base - top) for g in svg.all("line", "grid")
        ]
        assert lines == pytest.approx(ticks, abs=0.5)
        assert len(ticks) >= 4


def test_bound_of_the_only_pool_is_the_arenas() -> None:
    report = oldest_report()
    section, pool = pools(parse(render_html(report)), report)[0]
    svg = section.by_id("pool-0-map")
    base, top = svg.one("line", "base").number("y1"), svg.one("line", "size").number("y1")
    drawn = pool["size"] * (base - svg.one("line", "bound").number("y1")) / (base - top)
    assert drawn == pytest.approx(report["memory"]["arena_lower_bound"], abs=0.5)
    report["memory"]["pools"].append({"name": "second", "size": 64})
    page = parse(render_html(report))
    assert not page.all("line", "bound")


def test_loops_are_shaded_and_named() -> None:
    report = full_report()
    report["loops"].append({"first_step": 5, "last_step": 5, "tile_rows": 4})
    page = parse(render_html(report))
    for section, _ in pools(page, report):
        svg = section.by_id(f"{section['id']}-map")
        column = svg.number("width") / len(report["steps"])
        for band, loop in zip(svg.all("rect", "loop"), report["loops"], strict=True):
            end = band.number("x") + band.number("width")
            assert band.number("x") == pytest.approx(column * loop["first_step"], abs=0.01)
            assert end == pytest.approx(column * (loop["last_step"] + 1), abs=0.01)
        names = svg.all("text", "loop-name")
        assert [n.text for n in names] == ["tiles of 8 rows", "tiles of 4 rows"]
        assert all(0 <= n.number("x") < svg.number("width") for n in names)
    assert "Steps 1 to 3 run in tiles of 8 rows." in page.by_id("loops").text


def test_names_on_the_map_stay_where_they_can_be_read() -> None:
    report = full_report()
    report["steps"] += [{"name": f"x_{i}", "operator": "x", "rows": 1} for i in range(40)]
    report["loops"] = [{"first_step": 45, "last_step": 45, "tile_rows": 8}]
    svg = parse(render_html(report)).by_id("pool-0-map")
    end = svg.one("text", "loop-name").number("x") + 5.5 * len("tiles of 8 rows")
    assert end <= svg.number("width")
    # A column takes three letters, so only buffers of two columns to themselves have a name:
    # linear_0 is covered from its second step on by what takes its memory over.
    assert [n.text for n in svg.all("text", "name")] == ["gather_0", "rms_nor…"]


def test_operators_beyond_the_palette_share_a_colour() -> None:
    report = oldest_report()
    names = [f"operator_{i}" for i in range(12)]
    report["strategies"] = [{**report["strategies"][0], "step": n, "operator": n} for n in names]
    report["memory"]["buffers"] = [
        {"name": n, "pool": "fast", "offset": 0, "size": 64 - i, "first_use": i, "last_use": i}
        for i, n in enumerate(names)
    ]
    page = parse(render_html(report))
    fills = [b["class"].split()[1] for b in page.by_id("pool-0-map").all("rect", "buffer")]
    assert fills == [f"fill-{min(i, 8)}" for i in range(12)]
    assert page.one("p", "legend").text.endswith("operator_7 other")


def test_fills_carry_black_text_and_differ() -> None:
    """Contrast as in WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    fills = re.findall(
        r"\.fill-\d { fill: #(\w{6}); background: #(\w{6}); }",
        style(parse(render_html(oldest_report()))),
    )
    assert len(fills) == len(set(fills)) == 9
    for colour, background in fills:
        assert colour == background
        assert (luminance(colour) + 0.05) / (luminance("10131a") + 0.05) >= 4.5


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_in_light_and_dark(dark: bool) -> None:
    light, night = style(parse(render_html(oldest_report()))).partition(
        "prefers-color-scheme: dark"
    )[::2]
    colours = dict(re.findall(r"--(\w+): #(\w{6});", light))
    if dark:
        colours |= dict(re.findall(r"--(\w+): #(\w{6});", night))
    for text in ("text", "dim", "bound", "edge"):
        for ground in ("page", "card"):
            pair = sorted((luminance(colours[text]), luminance(colours[ground])))
            assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5, (text, ground)


def luminance(colour: str) -> float:
    """Return the relative luminance of an sRGB colour, as WCAG 2.2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
