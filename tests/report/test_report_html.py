"""The page of a report: whole, safe, and with the figures of the report, drawn and written."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from page_tree import Node, parse, pools, style
from sample_report import full_report, oldest_report

from tvm_embbert.report.html import render_html
from tvm_embbert.report.summary import in_pool, in_use, steps_of
from tvm_embbert.report.write import write_report

Report = dict[str, Any]
HOSTILE = """</title></svg><script>alert("1")</script>' onload='x' {{ 7 * 7 }} &amp;"""

every_form = pytest.mark.parametrize("make", [oldest_report, full_report])


def value(page: Node, name: str) -> int:
    return int(page.by_id(name).text.replace(",", ""))


def numbers(cells: list[str]) -> list[int]:
    return [int(c.replace(",", "")) for c in cells if re.fullmatch(r"[\d,]+", c)]


@every_form
def test_page_is_whole(make: Callable[[], Report]) -> None:
    text = render_html(make())
    page = parse(text)
    assert text.startswith("<!DOCTYPE html>\n<html")
    ids = Counter(n["id"] for n in page.walk() if "id" in n.attributes)
    assert max(ids.values()) == 1
    references = [
        n[a] for n in page.walk() for a in ("aria-labelledby", "data-buffer") if a in n.attributes
    ]
    assert references
    assert set(references) <= ids.keys()
    assert all(n["aria-label"] for n in page.all("svg") if n.attributes.get("role") == "img")


@every_form
def test_page_asks_for_nothing(make: Callable[[], Report]) -> None:
    text = render_html(make())
    assert not re.search(r"https?:|\bsrc=|href=|@import|url\(|fetch\(|<link|<img|<iframe", text)
    (policy,) = (m for m in parse(text).all("meta") if "http-equiv" in m.attributes)
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert "default-src 'none'" in policy["content"]


def test_names_are_escaped() -> None:
    text = json.dumps(full_report())
    for name in ("sample", '"yes"', "made-up", "linear_0", "fast", "made up", '"linear"', "main"):
        text = text.replace(name, json.dumps(HOSTILE) if '"' in name else json.dumps(HOSTILE)[1:-1])
    report = json.loads(text)
    assert report["model"]["labels"][0] == HOSTILE
    page = parse(render_html(report))
    assert len(page.all("script")) == 1
    assert not [a for n in page.walk() for a in n.attributes if a.startswith("on")]
    assert " ".join(HOSTILE.split()) in page.by_id("labels").text
    assert " ".join(HOSTILE.split()) in page.by_id("pool-0-title").text
    assert page.by_id("pool-0-buffer-1").one("title").text.startswith(HOSTILE)


@every_form
def test_totals_are_the_reports(make: Callable[[], Report]) -> None:
    report = make()
    memory, page = report["memory"], parse(render_html(report))
    for kind in ("ram", "flash"):
        use = memory[kind]
        assert value(page, f"{kind}-total") == use["total"]
        assert value(page, f"{kind}-budget") == use["budget"]
        share = 100 * use["total"] / use["budget"]
        assert page.by_id(f"{kind}-used").text == f"{share:.1f}%"
        written = sum(n for row in page.by_id(kind).one("table").rows() for n in numbers(row))
        assert written == use["total"]
        widths = re.findall(r"width:([\d.]+)%", render_html(report).partition(f'id="{kind}"')[2])
        parts = len(use) - 2
        assert sum(map(float, widths[:parts])) == pytest.approx(share, abs=0.05 * parts)
    assert value(page, "arena-size") == sum(p["size"] for p in memory["pools"])
    assert value(page, "arena-bound") == memory["arena_lower_bound"]


def test_peak_counts_shared_bytes_once() -> None:
    report = full_report()
    fast = in_pool(report, "fast")
    added = {b["name"]: size for b, size in in_use(fast, 2)}
    assert added == {"linear_0": 0, "rms_norm_0": 2048}
    page = parse(render_html(report))
    assert value(page, "pool-0-peak-size") == 6144
    assert value(page, "pool-1-peak-size") == 20_480
    for section, _ in pools(page, report):
        size = value(page, f"{section['id']}-peak-size")
        for table in ("operators", "peak"):
            rows = page.by_id(f"{section['id']}-{table}").rows()
            assert sum(numbers(row)[-1] for row in rows) == size
    in_use_by_step = [numbers(row)[1] for row in page.by_id("steps-table").rows()]
    assert in_use_by_step == [4096, 6144, 2048, 14_848, 20_480, 8192]


def test_peak_lists_a_buffer_that_gave_its_memory_up() -> None:
    report = full_report()
    report["memory"]["buffers"][0].update(first_use=2, last_use=2)
    page = parse(render_html(report))
    assert value(page, "pool-0-peak-size") == 6144
    assert page.by_id("pool-0-peak").rows() == [
        ["gather_0", "0", "4,096"],
        ["rms_norm_0", "4,096", "2,048"],
        ["linear_0 2,048, the rest shared", "4,096", "0"],
    ]


@every_form
def test_buffers_are_in_a_table_too(make: Callable[[], Report]) -> None:
    report = make()
    for section, pool in pools(parse(render_html(report)), report):
        rows = section.by_id(f"{section['id']}-buffers").rows()
        for row, buffer in zip(rows, in_pool(report, pool["name"]), strict=True):
            assert row[0].startswith(buffer["name"])
            assert numbers(row)[:2] == [buffer["offset"], buffer["size"]]
            life = sorted({buffer["first_use"], buffer["last_use"]})
            assert row[3] == "-".join(map(str, life))
            assert buffer.get("kind", "") in row[0]
            assert (buffer.get("shares") or "") in row[0]


@every_form
def test_every_constant_is_in_its_operators_group(make: Callable[[], Report]) -> None:
    report = make()
    page = parse(render_html(report))
    groups = {g["data-operator"]: g for g in page.all("details", "group")}
    assert list(groups) == ["gather", "linear", "attention", "other"]
    sizes = {name: [numbers(row)[0] for row in g.one("table").rows()] for name, g in groups.items()}
    assert sizes == {
        "gather": [20_000],
        "linear": [4_000, 3_000, 128],
        "attention": [256],
        "other": [16],
    }
    for name, group in groups.items():
        assert f"{name}: {sum(sizes[name]):,} bytes" in group.one("summary").text
    parts = {row[0]: numbers(row)[0] for row in page.by_id("flash-parts").rows()}
    flash = report["memory"]["flash"]
    assert parts == {k: v for k, v in flash.items() if k not in ("total", "budget")}


def test_constants_go_to_the_step_with_their_whole_name() -> None:
    report = oldest_report()
    steps = {"linear_1": "linear", "linear_1_up": "gated", "linear_10": "wide"}
    report["strategies"] = [
        {**report["strategies"][0], "step": name, "operator": operator}
        for name, operator in steps.items()
    ]
    names = ("linear_1_bias", "linear_1_up_bias", "linear_10_bias", "linear_12_bias")
    report["memory"]["constants"] = [{"name": name, "size": 16} for name in names]
    groups = parse(render_html(report)).all("details", "group")
    found = {g["data-operator"]: g.one("table").rows()[0][0] for g in groups}
    assert found == dict(zip(("linear", "gated", "wide", "other"), names, strict=True))


def test_what_was_measured_or_given_up_is_told() -> None:
    page = parse(render_html(full_report()))
    operators = {row[0]: numbers(row)[0] for row in page.by_id("instructions-operators").rows()}
    assert operators == {
        "attention": 900_000,
        "linear": 700_050,
        "rms_norm": 20_000,
        "gather": 1_000,
    }
    assert value(page, "inference-total") == 1_621_550
    assert page.by_id("method").text == "How they were counted: made up."
    assert (value(page, "stack-bound"), value(page, "stack-infer")) == (1_480, 1_320)
    path = [row[:2] for row in page.by_id("stack-path").rows()]
    assert path == [["main", "160"], ["sample_infer", "320"], ["attention_kernel_0", "1,000"]]
    assert page.by_id("concessions").one("table").rows() == [
        ["linear_0 to attention_0 run in tiles", "24,576", "12,345 measured"],
        ["keys are kept whole", "1,024", "678 estimated"],
    ]
    assert "hill_climb, not proved" in page.by_id("planner").text
    assert "97.57%" in page.by_id("accuracy").text


def test_what_is_not_known_is_left_out() -> None:
    page = parse(render_html(oldest_report()))
    assert page.by_id("inference-total").text == "not measured"
    for name in ("stack", "concessions", "loops", "planner", "accuracy", "instructions-operators"):
        assert not page.has(name)
    assert "undefined" not in page.text.lower()
    assert not re.search(r"\bNone\b", page.text)


def test_report_without_names_of_steps() -> None:
    report = {**oldest_report(), "strategies": []}
    assert [s.index for s in steps_of(report)] == [0, 1, 2, 3]
    page = parse(render_html(report))
    assert [t.own_text for t in page.by_id("pool-0-map").all("text", "step")] == list("0123")
    assert len(page.by_id("pool-0-map").all("rect", "buffer")) == 4


def test_page_fits_a_phone() -> None:
    page = parse(render_html(full_report()))
    (viewport,) = (m for m in page.all("meta") if m.attributes.get("name") == "viewport")
    assert viewport["content"] == "width=device-width, initial-scale=1"
    assert ".scroll { overflow-x: auto;" in style(parse(render_html(oldest_report())))
    maps = [s for s in page.all("svg") if s.attributes.get("role") == "img"]
    inside = [s for d in page.all("div", "scroll") for s in d.all("svg")]
    assert len(maps) == 2
    assert inside == maps


@every_form
def test_same_report_gives_the_same_files(make: Callable[[], Report], tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        write_report(tmp_path / name, make())
    first, second = (
        {p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("first", "second")
    )
    assert first == second
    assert first.keys() == {"report.json", "report.html"}
    assert json.loads(first["report.json"]) == make()
    assert first["report.html"].decode() == render_html(make())
