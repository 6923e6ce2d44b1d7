"""The report for a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tvm_embbert.report.summary import MEANING, instructions_by_operator

Report = dict[str, Any]


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
            unused = kind == "ram" and name == "weights" and not value
            if name not in ("total", "budget") and not unused:
                size = "-" if value is None else f"{value:,}"
                table.add_row(f"  {name}", size, "", "", MEANING[name], style="dim")
    plan = [Text(line) for line in plan_lines(report)]
    return Group(table, Text(), *plan, Text(), *_instruction_lines(report))


def plan_lines(report: Report) -> Iterator[str]:
    """Yield what is known of the plan: bound, pools, loops, stack, and what was given up."""
    memory = report["memory"]
    pools, planner = memory["pools"], memory.get("planner")
    size = sum(pool["size"] for pool in pools)
    by = f", planned by {planner['name']}" if planner else ""
    best = " (optimal)" if planner and planner["optimal"] else ""
    yield f"arena: {size:,} bytes, at least {memory['arena_lower_bound']:,} needed{by}{best}"
    for pool in pools if len(pools) > 1 else []:
        yield f"  {pool['name']}: {_pool(pool)}"
    for loop in report.get("loops") or []:
        first, last = loop["first_step"], loop["last_step"]
        yield f"steps {first}-{last} in tiles of {loop['tile_rows']} rows"
    if stack := memory.get("stack"):
        yield f"stack: at most {stack['bound']:,} bytes used"
    for row in report.get("concessions") or []:
        yield f"given up: {_concession(row)}"


def _pool(pool: Report) -> str:
    budget = pool.get("budget")
    place = pool.get("memory")
    text = f"{pool['size']:,} bytes"
    text += f" of {budget:,}" if budget is not None else ""
    return text + (f" in {place}" if place else "")


def _concession(row: Report) -> str:
    how = "measured" if row["measured"] else "estimated"
    added = row["instructions_added"]
    cost = "" if added is None else f", {added:,} instructions more ({how})"
    return f"{row['what']}: {row['ram_saved']:,} bytes of RAM less{cost}"


def _instruction_lines(report: Report) -> list[Text]:
    counts = report["instructions"]
    if counts["per_inference"] is None:
        return [Text("instructions: not measured")]
    lines = [
        Text(f"{counts['per_inference']:,} instructions for {counts['length']} tokens (not cycles)")
    ]
    by_operator = instructions_by_operator(report)
    for operator, count in by_operator.most_common():
        share = 100 * count / max(1, sum(by_operator.values()))
        lines.append(Text(f"  {operator:<20} {count:>14,}  {share:5.1f}%", style="dim"))
    return lines


def explanation(report: Report) -> Table:
    """Return which implementation took which step, why, and which tuned record made it."""
    table = Table(box=None, pad_edge=False)
    for heading in ("step", "implementation", "kernel", "schedule", "why", "passed over"):
        table.add_column(heading)
    tuned = {row["step"]: _schedule(row) for row in report["schedules"]}
    for row in report["strategies"]:
        others = "; ".join(f"{name}: {why}" for name, why in row["passed_over"].items())
        schedule = tuned.get(row["step"], "default")
        cells = (row["step"], row["implementation"], row["kernel"], schedule, row["reason"], others)
        table.add_row(*cells)
    return table


def _schedule(row: Report) -> str:
    chosen = " ".join(f"{name}={value}" for name, value in row["config"].items())
    return f"{chosen} ({row['source']})"
