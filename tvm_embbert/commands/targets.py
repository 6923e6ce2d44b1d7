"""``tvm-embbert targets``: list the devices."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from tvm_embbert.commands.output import console, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--search",
        metavar="FOLDER",
        action="append",
        default=[],
        type=Path,
        help="look for devices there, too (repeatable; also TVM_EMBBERT_TARGETS)",
    )


def run(options: argparse.Namespace) -> int:
    """List names, cores, budgets and the arena's pools."""
    from tvm_embbert.target_file import list_targets

    targets = list_targets(options.search)
    rows: list[dict[str, Any]] = [
        {
            "name": t.name,
            "description": t.description,
            "core": t.core.name,
            "isa": list(t.core.isa),
            "ram_budget": t.ram_budget,
            "flash_budget": t.flash_budget,
            "pools": [asdict(pool) for pool in t.pools],
            "system_memory": t.system_memory,
            "weights_memory": t.weights_memory,
            "weights_copied": t.weights_copied,
            "emulator": t.core.emulator.machine if t.core.emulator else None,
        }
        for t in targets
    ]
    if options.json:
        print_json(rows)
    else:
        console().print(_table(rows))
    return 0


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("target", "core", "RAM", "flash", "runs on"):
        table.add_column(heading, justify="right" if heading in ("RAM", "flash") else "left")
    table.add_column("pools")
    table.add_column("description")
    for row in rows:
        sizes = (f"{row['ram_budget'] // 1024} KiB", f"{row['flash_budget'] // 1024} KiB")
        runner = row["emulator"] or "this machine"
        pools = " + ".join(pool["name"] for pool in row["pools"])
        table.add_row(row["name"], row["core"], *sizes, runner, pools, row["description"])
    return table
