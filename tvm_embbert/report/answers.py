"""Answers to sentences, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from tvm_embbert.classify import Classification


def answer_table(answers: Sequence[Classification]) -> Table:
    """Return a row a sentence: label, score, tokens, instructions or cycles, text."""
    table = Table(box=None, pad_edge=False)
    table.add_column("label")
    unit = "cycles" if any(a.cycles is not None for a in answers) else "instructions"
    for heading in ("score", "tokens", unit):
        table.add_column(heading, justify="right")
    table.add_column("text", overflow="fold")
    for a in answers:
        counted = a.cycles if unit == "cycles" else a.instructions
        count = "-" if counted is None else f"{counted:,}"
        table.add_row(Text(a.label), f"{a.score:.3f}", str(len(a.tokens)), count, Text(a.text))
    return table
