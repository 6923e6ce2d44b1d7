"""``tvm-embbert run``: classify text on the target's runner."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tvm_embbert.commands.arguments import add_timeout
from tvm_embbert.commands.board import add_board, chosen_session
from tvm_embbert.commands.output import console, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="a compiled model")
    parser.add_argument(
        "--text", action="append", help="a sentence (repeatable); else standard input, one a line"
    )
    add_board(parser)
    add_timeout(parser)


def run(options: argparse.Namespace) -> int:
    """Classify each sentence."""
    from tvm_embbert.classify import classify
    from tvm_embbert.compiled import CompiledModel
    from tvm_embbert.report.answers import answer_table

    compiled = CompiledModel(options.folder)
    texts = options.text if options.text is not None else _standard_input()
    with chosen_session(compiled, options) as session:
        answers = [classify(compiled, session, text) for text in texts]
    if options.json:
        print_json([answer.as_dict() for answer in answers])
    else:
        console().print(answer_table(answers))
    return 0


def _standard_input() -> list[str]:
    return [line.rstrip("\n") for line in sys.stdin if line.strip()]
