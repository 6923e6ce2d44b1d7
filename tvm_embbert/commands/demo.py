"""``tvm-embbert demo``: the main job, on the shipped model and an emulated board."""

from __future__ import annotations

import argparse
from pathlib import Path

from tvm_embbert.commands.arguments import add_device_arguments, add_timeout
from tvm_embbert.commands.output import console, note, print_json

MODEL = "snips"
TARGET = "mps3-an547"
SENTENCES = (
    "play some jazz",
    "will it rain in Paris tomorrow",
    "book a table for two at an Italian place tonight",
    "add this song to my workout playlist",
    "give five stars to the last book I read",
    "what time is the new Batman movie on nearby",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_device_arguments(parser, TARGET)
    parser.add_argument("--text", action="append", help="a sentence of your own (repeatable)")
    parser.add_argument(
        "--out", type=Path, default=Path("out/demo"), metavar="DIR", help="folder to write"
    )
    add_timeout(parser)


def run(options: argparse.Namespace) -> int:
    """Compile, show the memory, run, show the answers."""
    from tvm_embbert.classify import classify
    from tvm_embbert.compiler import compile_model
    from tvm_embbert.report.answers import answer_table
    from tvm_embbert.report.terminal import memory_table

    if not options.json:
        note().print(f"Compiling {MODEL} for {options.target}: import, quantise, plan, build ...")
    compiled = compile_model(
        MODEL, options.target, options.out, options.max_length, options.ram, options.flash
    )
    with compiled.session(options.timeout) as session:
        answers = [classify(compiled, session, text) for text in options.text or SENTENCES]
    if options.json:
        rows = [answer.as_dict() for answer in answers]
        print_json({"report": compiled.report, "answers": rows})
        return 0
    console().print(memory_table(compiled.report))
    console().print()
    console().print(answer_table(answers))
    console().print(f"\nC library, image and report: {options.out}")
    return 0
