"""What an inference takes by what the input says: attention leaves out keys without weight.

Prints a table in Markdown: instructions at the greatest length, in the boards' emulators.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from boards import sentence
from tqdm import tqdm

import tvm_embbert
from tvm_embbert.compiled import CompiledModel
from tvm_embbert.models.checkpoint import Model
from tvm_embbert.quantize.integer_module import IntegerModule

TEXT = Path(__file__).parent.parent / "tests" / "data" / "snips_test.tsv.gz"
EVERY = 17
"""Sentences from one that is taken to the next, as the test set is sorted by label."""
BOARDS = ("mps2-an385", "mps2-an521", "virt-rv32", "virt-rv32v")
"""Boards whose kernels leave keys out."""


def main() -> int:
    """Count each input on each board, and print a row for each."""
    boards = _parser().parse_args().board or BOARDS
    model = tvm_embbert.load_model("snips")
    integer = tvm_embbert.quantize_model(model)
    asked = inputs(model)
    for board in tqdm(boards, leave=False):
        counts = " | ".join(f"{n:,}" for n in counted(model, integer, board, asked))
        tqdm.write(f"| {board} | {counts} |", file=sys.stdout)
    return 0


def inputs(model: Model) -> Mapping[str, Sequence[int]]:
    """Return token ids of the model's greatest length: random, of text, and all alike."""
    length = model.max_length
    with gzip.open(TEXT, "rt", encoding="utf-8") as lines:
        sentences = [line.split("\t")[0].strip() for line in lines][1::EVERY]
    drawn = sentence(length, model.vocab_size)
    text = [int(i) for i in model.encoder.encode(" ".join(sentences), length)]
    return {"random": drawn, "text": text, "alike": [drawn[0], *[drawn[1]] * (length - 1)]}


def counted(
    model: Model, integer: IntegerModule, board: str, asked: Mapping[str, Sequence[int]]
) -> list[int]:
    """Return the instructions of each input on a board."""
    lowered = tvm_embbert.lower_model(model, integer, board)
    with tempfile.TemporaryDirectory() as folder:
        compiled = tvm_embbert.build(lowered, Path(folder) / "out", model, measure=False)
        return _counted(compiled, list(asked.values()))


def _counted(compiled: CompiledModel, asked: Sequence[Sequence[int]]) -> list[int]:
    with compiled.session() as session:
        return [int(session.infer(ids).instructions or 0) for ids in asked]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--board", action="append", help=f"a board ({', '.join(BOARDS)})")
    return parser


if __name__ == "__main__":
    sys.exit(main())
