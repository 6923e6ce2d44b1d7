"""Answers to sentences, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from tvm_embbert.classify import Classification


def answer_table(answers: Sequence[Classification]) -> Table:
    """Return a row a sentence: label, score, tokens, instructions, text."""
    table = Table(box=None, pad_edge=False)
    table.add_column("label")
    for heading in ("score", "tokens", "instructions"):
        table.add_column(heading, justify="right")
    table.add_column("text", overflow="fold")
    for a in answers:
        count = "-" if a.instructions is None else f"{a.instructions:,}"
        table.add_row(Text(a.label), f"{a.score:.3f}", str(len(a.tokens)), count, Text(a.text))
    return table
