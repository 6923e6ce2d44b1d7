"""``tvm-embbert tune``: search the choices that kernels leave open, measured on the device."""

from __future__ import annotations

import argparse
import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvm_embbert.commands.arguments import add_model_arguments, at_least, size
from tvm_embbert.commands.board import add_board
from tvm_embbert.commands.output import console, print_json
from tvm_embbert.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from tvm_embbert.quantize.integer_module import IntegerModule
    from tvm_embbert.target import Target
    from tvm_embbert.tune.meter import Meter
    from tvm_embbert.tune.options import TuneOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("model", metavar="MODEL", help="a model's folder, or a shipped model")
    parser.add_argument("--target", required=True, metavar="NAME|FILE.toml", help="the device")
    _add_what(parser)
    _add_session(parser)
    _add_search(parser)
    _add_limits(parser)
    _add_where(parser)
    add_board(parser)
    add_model_arguments(parser)


def _add_what(parser: argparse.ArgumentParser) -> None:
    """Declare how much is tuned."""
    parser.add_argument(
        "--trials",
        type=at_least(0),
        default=200,
        metavar="N",
        help="candidates that are searched (200)",
    )
    parser.add_argument(
        "--operators", nargs="+", default=[], metavar="NAME", help="operators to tune (all)"
    )
    parser.add_argument(
        "--length", type=int, metavar="N", help="tokens of the input (the model's longest)"
    )


def _add_session(parser: argparse.ArgumentParser) -> None:
    """Declare where the session's files are, and whether it goes on."""
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for log and records (out/tune-<core>)"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the session in DIR")


def _add_search(parser: argparse.ArgumentParser) -> None:
    """Declare how it is searched."""
    parser.add_argument("--seed", type=int, default=0, help="of the search (0)")
    parser.add_argument(
        "--search",
        choices=("xgb", "random"),
        default="xgb",
        help="what guides the search: a cost model by XGBoost (default), or chance",
    )
    parser.add_argument(
        "--from",
        dest="source",
        metavar="CORE|DIR|none",
        help="core or folder whose records to start from (the nearest core that has some)",
    )
    _add_models(parser)


def _add_models(parser: argparse.ArgumentParser) -> None:
    """Declare the whole models that are made."""
    parser.add_argument(
        "--models",
        type=at_least(0),
        default=40,
        metavar="N",
        help="whole models that are searched at most, after the kernels (40)",
    )
    parser.add_argument(
        "--front",
        action="store_true",
        help="measure instructions against RAM and flash, for compile --ram to choose from",
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    """Declare what memory the tuned model may take."""
    parser.add_argument(
        "--arena",
        type=size,
        metavar="BYTES",
        help="limit of the tuned model's arena (1%% more than untuned)",
    )
    parser.add_argument(
        "--code", type=size, metavar="BYTES", help="limit of the tuned library's code (none)"
    )


def _add_where(parser: argparse.ArgumentParser) -> None:
    """Declare what measures, but for a board."""
    parser.add_argument(
        "--jobs",
        type=at_least(1),
        default=os.cpu_count() or 1,
        metavar="N",
        help="images to build and run at a time (the machine's cores)",
    )
    parser.add_argument(
        "--tracker",
        metavar="HOST:PORT",
        help="measure on the servers of a farm that this RPC tracker knows",
    )
    parser.add_argument("--key", metavar="NAME", help="the key of the farm's servers")
    parser.add_argument(
        "--batch",
        type=at_least(1),
        default=16,
        metavar="N",
        help="candidates between two looks at the cost model: 8 for each server (16)",
    )


def run(options: argparse.Namespace) -> int:
    """Tune, and show what was gained."""
    from tvm_embbert.commands.tune_progress import TuneProgress
    from tvm_embbert.target_file import load_target
    from tvm_embbert.tune.tune_model import tune_model

    module, target = _module(options), load_target(options.target)
    out = options.out or Path("out") / f"tune-{target.core.name}"
    how, uses = chosen(options), dict(options.use)
    with TuneProgress(how.trials, options.json) as progress:
        summary = tune_model(module, target, out, how, uses, meter(options, target), progress.told)
    if options.json:
        print_json(summary)
        return 0
    show(summary)
    console().print(f"log and records in {out}; compile with --schedules {out}")
    return 0


def _module(options: argparse.Namespace) -> IntegerModule:
    """Return the quantised model; kernels of the user's own are loaded first."""
    from tvm_embbert.compiler import quantize_model
    from tvm_embbert.models.checkpoint import load_model
    from tvm_embbert.models.text import read_sentences
    from tvm_embbert.strategy import registry

    for path in options.strategy:
        registry.load_file(path)
    sentences = None if options.calibration is None else read_sentences(options.calibration)
    return quantize_model(load_model(options.model), None, sentences)


def chosen(options: argparse.Namespace) -> TuneOptions:
    """Return how to tune, as the arguments say."""
    from tvm_embbert.tune.options import TuneOptions

    same = {each.name for each in fields(TuneOptions)} - {"operators"}
    given = {name: value for name, value in vars(options).items() if name in same}
    return TuneOptions(operators=tuple(options.operators), **given)


def meter(options: argparse.Namespace, target: Target) -> Meter | None:
    """Return what measures the candidates, None for the target's emulator here."""
    if options.port is not None:
        if options.tracker or options.key:
            raise UsageError(
                "Candidates are measured on a board or on a farm, not on both.",
                where="--port and --tracker",
                supported="--port for a board at a serial line, --tracker and --key for a farm",
            )
        from tvm_embbert.tune.board_meter import BoardMeter

        return BoardMeter(target, options.port, options.baud)
    if not options.tracker and not options.key:
        return None
    if not (options.tracker and options.key):
        raise UsageError(
            "A farm needs both its tracker and its servers' key.",
            where="--tracker and --key",
            hint="For example --tracker 127.0.0.1:9190 --key mps2-an386.",
        )
    from tvm_embbert.tune.farm import FarmMeter

    return FarmMeter(target, options.tracker, options.key)


def show(summary: dict[str, Any]) -> None:
    """Print what was gained, by operator and in all."""
    model = summary["model"]
    console().print(gains_table(model))
    for row in model["slower"]:
        console().print(_slower_line(row))
    if summary["front"]:
        console().print(front_table(summary["front"]))
    trials = summary["trials"]
    arena = f"arena {model['arena_before']:,} -> {model['arena_after']:,} bytes"
    code = f"code {model['code_before']:,} -> {model['code_after']:,} bytes"
    console().print(
        # Whole models are counted in the emulator, whatever measured the kernels.
        f"instructions for {model['length']} tokens; {arena}; {code}; {trials['measured']}"
        f" candidates measured, {trials['failed']} failed, {trials['differing']} differed from the"
        " reference"
    )


def gains_table(model: dict[str, Any]) -> Table:
    """Return what was gained as a table: a row for each operator, the last for the whole model."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("operator")
    for heading in ("untuned", "tuned", "less"):
        table.add_column(heading, justify="right")
    rows = [*model["operators"].items(), ("whole model", model)]
    for name, row in rows:
        saved = 100 * (1 - row["after"] / row["before"]) if row["before"] else 0.0
        cells = (name, f"{row['before']:,}", f"{row['after']:,}", f"{saved:.1f}%")
        table.add_row(*cells, style="bold" if row is model else "")
    return table


SLOWER = {
    "kernels": "its tuned kernels take more in the model than the untuned ones",
    "tiles": "its kernels are called for tiles of another height",
    "calls": "the untuned kernels, whose arguments the entry point puts together in another way",
}
"""Why an operator takes more than untuned, by the summary's word."""


def _slower_line(row: dict[str, Any]) -> str:
    more = row["after"] - row["before"]
    return f"slower: {row['operator']} by {more:,}: {SLOWER[row['cause']]}"


def front_table(front: list[dict[str, Any]]) -> Table:
    """Return the front as a table, with a bar for the instructions."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("instructions", "RAM", "flash", "tile rows", "scratch"):
        table.add_column(heading, justify="right")
    table.add_column("")
    most = max(point["instructions"] for point in front)
    for point in front:
        scratch = "any" if point["scratch"] is None else f"<= {point['scratch']:,}"
        bar = "#" * max(1, round(40 * point["instructions"] / most))
        sizes = (f"{point[name]:,}" for name in ("instructions", "ram", "flash"))
        table.add_row(*sizes, str(point["tile_rows"]), scratch, bar)
    return table
