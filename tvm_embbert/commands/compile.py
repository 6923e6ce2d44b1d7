"""``tvm-embbert compile``: from a model's folder to C, an image and a report."""

from __future__ import annotations

import argparse
from pathlib import Path

from tvm_embbert.commands.arguments import add_device_arguments, add_model_arguments
from tvm_embbert.commands.output import console, note, print_json, progress_wanted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a folder with config.json, weights and tokenizer.json, or a shipped model: snips",
    )
    add_device_arguments(parser)
    add_model_arguments(parser)
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder to write")
    parser.add_argument("--name", help="name of the C library (the folder's)")
    parser.add_argument(
        "--tile-rows",
        type=int,
        metavar="N",
        help="rows of every tile in loops, 0 for no loops (chosen by cost)",
    )
    parser.add_argument(
        "--planner",
        metavar="NAME|FILE.py:NAME",
        help="algorithm that places the buffers, of ours or a file of yours (hill_climb)",
    )
    parser.add_argument(
        "--schedules",
        metavar="DIR|none",
        help="tuned records of your own, or none of them (those that ship for the core)",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="show which kernel took which step, why, and which tuned record it was made by",
    )
    parser.add_argument(
        "--no-measure", action="store_true", help="do not count instructions on the emulator"
    )
    parser.add_argument(
        "--debug",
        action="store_true",
        help="build for debuggers, and check that the model writes only where it may",
    )


def run(options: argparse.Namespace) -> int:
    """Compile and show the report."""
    from tvm_embbert.compiler import compile_model
    from tvm_embbert.lowering import MemoryOptions
    from tvm_embbert.models.text import read_sentences
    from tvm_embbert.report.terminal import explanation, memory_table
    from tvm_embbert.strategy import registry

    for path in options.strategy:
        registry.load_file(path)
    sentences = None if options.calibration is None else read_sentences(options.calibration)
    progress = progress_wanted(options.json)
    with note().status("compiling") if progress else note():
        compiled = compile_model(
            options.model,
            options.target,
            options.out,
            max_length=options.max_length,
            ram=options.ram,
            flash=options.flash,
            sentences=sentences,
            name=options.name,
            overrides=dict(options.use),
            measure=not options.no_measure,
            memory=MemoryOptions(chosen_planner(options.planner), options.tile_rows),
            debug=options.debug,
            schedules=options.schedules,
        )
    if options.json:
        print_json(compiled.report)
        return 0
    console().print(memory_table(compiled.report))
    if options.explain:
        console().print(explanation(compiled.report))
    console().print(f"written to {options.out}")
    return 0


def chosen_planner(text: str | None) -> str:
    """Return the name of a planning algorithm, whose file is loaded if one is named."""
    from tvm_embbert.memory.plan import DEFAULT_PLANNER
    from tvm_embbert.memory.planners.registry import load_planner_file

    path, colon, name = (text or DEFAULT_PLANNER).rpartition(":")
    if colon:
        load_planner_file(Path(path))
    return name
