"""List the operators of the shipped model that take more instructions tuned than untuned.

An inference of the longest input on every emulated board, with the records that ship, or with those
of a folder. Exits with 1 where an operator's own tuned kernels are slower.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from run import emulated_boards
from tqdm import tqdm

import tvm_embbert
from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.target_file import load_target
from tvm_embbert.tune.schedules import choose_schedules, no_schedules
from tvm_embbert.tune.slower import KERNELS, Slower, slower
from tvm_embbert.tune.whole import Whole, count


def main() -> int:
    """Count on all boards and print a table."""
    options = _parser().parse_args()
    integer = tvm_embbert.quantize_model(tvm_embbert.load_model("snips"))
    boards = options.board or emulated_boards()
    folder = options.schedules
    found = {b: slower_on(integer, b, folder) for b in tqdm(boards, leave=False)}
    Console().print(table(found))
    return int(any(row.cause == KERNELS for rows in found.values() for row in rows))


def slower_on(integer: IntegerModule, board: str, folder: Path | None = None) -> list[Slower]:
    """Return the operators that are slower on a board, with records that ship or a folder's."""
    whole = Whole(integer, load_target(board), integer.max_length, {})
    tuned = choose_schedules(folder, whole.target.core)
    before, after = (count(whole.lower(s), whole.ids) for s in (no_schedules(), tuned))
    return slower(before, after)


def table(found: Mapping[str, Sequence[Slower]]) -> Table:
    """Return the operators by board; a board without any has one row that says so."""
    made = Table(box=None, pad_edge=False)
    for heading in ("board", "operator", "untuned", "tuned", "cause"):
        made.add_column(heading, justify="right" if heading in ("untuned", "tuned") else "left")
    for board, rows in found.items():
        if not rows:
            made.add_row(board, "none")
        for row in rows:
            made.add_row(board, row.operator, f"{row.before:,}", f"{row.after:,}", row.cause)
    return made


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--board", action="append", help="a board (all that are emulated)")
    parser.add_argument("--schedules", type=Path, metavar="DIR", help="records (those that ship)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
