"""The report at a terminal."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console
from sample_report import full_report, oldest_report

from tvm_embbert.report.terminal import memory_table


def shown(report: dict[str, Any]) -> list[str]:
    console = Console(file=StringIO(), width=110)
    console.print(memory_table(report))
    assert isinstance(console.file, StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_plan_of_a_full_report() -> None:
    lines = shown(full_report())
    start = lines.index("arena: 27,648 bytes, at least 26,624 needed, planned by hill_climb")
    assert lines[start + 1 : start + 8] == [
        "  fast: 6,656 bytes of 8,192 in dtcm",
        "  bulk: 20,992 bytes of 65,536 in sram",
        "steps 1-3 in tiles of 8 rows",
        "stack: at most 1,480 bytes used",
        "given up: linear_0 to attention_0 run in tiles: 24,576 bytes of RAM less, 12,345 "
        "instructions more (measured)",
        "given up: keys are kept whole: 1,024 bytes of RAM less, 678 instructions more (estimated)",
        "",
    ]
    assert "1,621,550 instructions for 32 tokens (not cycles)" in lines


def test_optimal_plan_says_so() -> None:
    report = full_report()
    report["memory"]["planner"] = {"name": "exact", "optimal": True, "bound": 27_648}
    assert "arena: 27,648 bytes, at least 26,624 needed, planned by exact (optimal)" in shown(
        report
    )


def test_oldest_report_has_one_line_of_plan() -> None:
    lines = shown(oldest_report())
    start = lines.index("arena: 6,656 bytes, at least 6,144 needed")
    assert lines[start + 1 :] == ["", "instructions: not measured"]


def test_names_are_not_taken_for_markup() -> None:
    report = full_report()
    report["concessions"][0]["what"] = "[red]rows[/red] [/]"
    assert any("given up: [red]rows[/red] [/]: 24,576" in line for line in shown(report))
