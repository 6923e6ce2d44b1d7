"""Measure the shipped model on every emulated core, compare with the committed figures, plot.

Instructions executed are counted in QEMU. They are not cycles, and nothing here ran on silicon.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from boards import LENGTHS, measure
from loops import write_page
from plots import draw
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

import tvm_embbert
from tvm_embbert.folder import write_text
from tvm_embbert.target_file import list_targets

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
PLOTS = HERE.parent / "docs" / "plots"
TOLERANCE = 0.03
"""Share by which a count may rise before it is a regression."""

Results = dict[str, Any]


def main() -> int:
    """Run the benchmark; exits with 1 where a count rose by more than the tolerance."""
    options = _parser().parse_args()
    boards = options.board or emulated_boards()
    model = tvm_embbert.load_model("snips")
    integer = tvm_embbert.quantize_model(model)
    found = {b: measure(model, integer, b) for b in tqdm(boards, leave=False)}
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    Console().print(table(found))
    worse = list(regressions(known, found))
    for line in worse:
        print(f"more instructions: {line}", file=sys.stderr)
    if worse and not options.accept:
        return 1
    write_text(RESULTS, json.dumps({**known, **found}, indent=2, sort_keys=True) + "\n")
    draw({**known, **found}, json.loads((HERE / "peers.json").read_text("utf-8")), PLOTS)
    if not options.board:
        write_page(model, integer)
    return 0


def emulated_boards() -> list[str]:
    """Return the devices that QEMU models as boards of their own."""
    cores = {t.name: t.core.emulator for t in list_targets()}
    return sorted(n for n, e in cores.items() if e and n.startswith(e.machine))


def table(found: Results) -> Table:
    """Return the figures for a terminal."""
    made = Table(box=None, pad_edge=False)
    for heading in ("board", "core", "tokens", "instructions", "per MAC", "of the limit"):
        made.add_column(heading, justify="left" if heading in ("board", "core") else "right")
    for board, result in found.items():
        for length, counts in result["lengths"].items():
            ratio = counts["instructions"] / counts["macs"]
            share = f"{1 / (ratio * result['limit']):.0%}"
            cells = (length, f"{counts['instructions']:,}", f"{ratio:.3f}", share)
            made.add_row(board, result["core"], *cells)
    return made


def regressions(known: Results, found: Results) -> Iterator[str]:
    """Yield where an inference takes more instructions than it did, beyond the tolerance."""
    for board, result in found.items():
        for length, counts in result["lengths"].items():
            before = known.get(board, {}).get("lengths", {}).get(length, {}).get("instructions")
            now = counts["instructions"]
            if before and now > before * (1 + TOLERANCE):
                yield f"{board}, {length} tokens: {now:,}, was {before:,}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--board", action="append", help="a board (all that are emulated)")
    parser.add_argument(
        "--accept", action="store_true", help="write the figures even where they are worse"
    )
    parser.epilog = f"Lengths: {', '.join(map(str, LENGTHS))} tokens. Figures: {RESULTS.name}."
    return parser


if __name__ == "__main__":
    sys.exit(main())
