"""The report for a person at a terminal."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

Report = dict[str, Any]
_MEANING = {
    "arena": "activations and scratch, one static buffer",
    "stack": "reserved",
    "static": "everything else that is written",
    "weights": "constants of the model",
    "code": "kernels and entry points",
    "tokenizer": "not on the device: text is tokenised by the caller",
    "harness": "start-up, runner and C library",
}


def memory_table(report: Report) -> Group:
    """Return the memory against the budget, and the instructions."""
    table = Table(box=None, pad_edge=False, title_justify="left")
    table.title = f"{report['model']['name']} on {report['target']['description']}"
    for heading in ("memory", "bytes", "budget", "used"):
        table.add_column(heading, justify="left" if heading == "memory" else "right")
    table.add_column("")
    for kind in ("ram", "flash"):
        use = report["memory"][kind]
        share = f"{100 * use['total'] / use['budget']:.1f}%"
        label = "RAM" if kind == "ram" else kind
        table.add_row(label, f"{use['total']:,}", f"{use['budget']:,}", share, "", style="bold")
        for name, value in use.items():
            if name not in ("total", "budget"):
                size = "-" if value is None else f"{value:,}"
                table.add_row(f"  {name}", size, "", "", _MEANING[name], style="dim")
    return Group(table, Text(), *_instruction_lines(report))


def _instruction_lines(report: Report) -> list[Text]:
    counts = report["instructions"]
    if counts["per_inference"] is None:
        return [Text("instructions: not measured")]
    lines = [
        Text(f"{counts['per_inference']:,} instructions for {counts['length']} tokens (not cycles)")
    ]
    by_operator: Counter[str] = Counter()
    for step in counts["per_operator"]:
        by_operator[step["operator"]] += step["instructions"]
    for operator, count in by_operator.most_common():
        share = 100 * count / max(1, sum(by_operator.values()))
        lines.append(Text(f"  {operator:<20} {count:>14,}  {share:5.1f}%", style="dim"))
    return lines


def explanation(report: Report) -> Table:
    """Return which implementation took which step, and why."""
    table = Table(box=None, pad_edge=False)
    for heading in ("step", "implementation", "kernel", "why", "passed over"):
        table.add_column(heading)
    for row in report["strategies"]:
        others = "; ".join(f"{name}: {why}" for name, why in row["passed_over"].items())
        cells = (row["step"], row["implementation"], row["kernel"], row["reason"], others)
        table.add_row(*cells)
    return table
