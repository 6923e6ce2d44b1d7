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
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        metavar="DIR",
        help="a compiled model; of a project, where it is no longer where it was",
    )
    parser.add_argument(
        "--project", type=Path, metavar="DIR", help="validate a project, over its own transport"
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the project's template (repeatable)",
    )
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
    from tvm_embbert.strategy import registry

    for path in options.strategy:
        registry.load_file(path)
    result = _project(options) if options.project else _compiled(options)
    if options.json:
        print_json(result)
    else:
        console().print(_table(result))
    return 0 if result["identical_rows"] == result["rows"] else EXIT_DIFFERENT


def _compiled(options: argparse.Namespace) -> dict[str, Any]:
    """Validate a compiled model on the target's runner, or on a board."""
    from tvm_embbert.compiled import CompiledModel
    from tvm_embbert.errors import UsageError
    from tvm_embbert.models.text import read_labelled
    from tvm_embbert.validation import validate

    if options.folder is None or options.option:
        raise UsageError("Name a compiled model, or --project and its options.", where="DIR")
    compiled = CompiledModel(options.folder)
    rows = _spread(read_labelled(options.data, compiled.labels), options.limit)
    with chosen_session(compiled, options) as session:
        result = validate(compiled, session, rows, progress_wanted(options.json))
    compiled.update_report(accuracy=result)
    return result


def _project(options: argparse.Namespace) -> dict[str, Any]:
    """Validate a project."""
    from tvm_embbert.errors import UsageError
    from tvm_embbert.models.text import read_labelled
    from tvm_embbert.project.handler import open_project
    from tvm_embbert.project.options import parsed
    from tvm_embbert.project.validating import compiled_of, validate_project

    if options.port is not None or options.baud is not None:
        raise UsageError(
            "A project's transport takes no --port and no --baud.",
            where="--project",
            hint="Use --option port=NAME and --option baud=N.",
        )
    handler = open_project(options.project)
    compiled = compiled_of(options.project, options.folder)
    rows = _spread(read_labelled(options.data, compiled.labels), options.limit)
    progress, given = progress_wanted(options.json), parsed(options.option)
    return validate_project(handler, compiled, rows, given, options.timeout, progress)


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
    if device := result.get("device"):
        _add_device(table, device)
    return table


def _add_device(table: Table, device: dict[str, Any]) -> None:
    table.add_row("arena", f"{device['arena']:,} bytes")
    table.add_row("stack", f"{device['stack_used']:,} of {device['stack']:,} bytes used")
    if device["flash"] is not None:
        table.add_row("flash", f"{device['flash']:,} bytes, the program around the model included")
    for operator, count in (device["per_operator"] or {}).items():
        table.add_row(f"  {operator}", f"{count:,} {device['unit']}")
