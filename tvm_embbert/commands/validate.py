"""``tvm-embbert validate``: accuracy, and equality of every byte, on labelled text."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.table import Table

from tvm_embbert.commands.arguments import add_strategy, add_timeout
from tvm_embbert.commands.board import add_board, chosen_session
from tvm_embbert.commands.output import console, print_json, progress_wanted

EXIT_DIFFERENT = 7


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="a compiled model")
    parser.add_argument(
        "--data", required=True, type=Path, metavar="FILE.tsv[.gz]", help="rows of text<TAB>label"
    )
    parser.add_argument(
        "--limit",
        type=int,
        metavar="N",
        help="at most N rows, spread evenly over the file",
    )
    add_strategy(parser)
    add_board(parser)
    add_timeout(parser)


def run(options: argparse.Namespace) -> int:
    """Validate, note the accuracy in the report, and fail if any row differs."""
    from tvm_embbert.compiled import CompiledModel
    from tvm_embbert.models.text import read_labelled
    from tvm_embbert.strategy import registry
    from tvm_embbert.validation import validate

    for path in options.strategy:
        registry.load_file(path)
    compiled = CompiledModel(options.folder)
    rows = _spread(read_labelled(options.data, compiled.labels), options.limit)
    with chosen_session(compiled, options) as session:
        result = validate(compiled, session, rows, progress_wanted(options.json))
    compiled.update_report(accuracy=result)
    if options.json:
        print_json(result)
    else:
        console().print(_table(result))
    return 0 if result["identical_rows"] == result["rows"] else EXIT_DIFFERENT


def _spread(rows: list[tuple[str, int]], limit: int | None) -> list[tuple[str, int]]:
    """Return `limit` rows over the whole file: such files are often sorted by label."""
    if limit is None or limit >= len(rows):
        return rows
    if limit < 1:
        from tvm_embbert.errors import UsageError

        raise UsageError(f"--limit is {limit}.", supported="a number of rows from 1 on")
    return [rows[i * len(rows) // limit] for i in range(limit)]


def _table(result: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row("rows", f"{result['rows']:,}")
    for name, value in result["accuracy"].items():
        table.add_row(f"accuracy, {name}", f"{100 * value:.2f}%")
    table.add_row("same label as float", f"{100 * result['same_label_as_float']:.2f}%")
    same = result["identical_rows"] == result["rows"]
    verdict = "every byte of every logit" if same else "DIFFERENT from the reference elsewhere"
    table.add_row("identical rows", f"{result['identical_rows']:,}  ({verdict})")
    for unit in ("instructions", "cycles"):
        if counts := result[unit]:
            text = f"{counts['min']:,} / {counts['median']:,} / {counts['max']:,}"
            table.add_row(f"{unit}, min / median / max", text)
    return table
