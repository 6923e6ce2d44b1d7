"""Text to token ids with the ``tokenizers`` package, and labelled text from files."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from tvm_embbert.errors import InputError

CLS = "[CLS]"


@dataclass(frozen=True, eq=False)
class TextEncoder:
    """Maps a sentence to token ids, [CLS] first."""

    tokenizer: Any
    cls_token: int | None

    def encode(self, text: str, max_length: int) -> list[int]:
        """Return at most `max_length` ids; what is beyond is cut off."""
        ids = list(self.tokenizer.encode(text).ids)
        if self.cls_token is not None and ids[:1] != [self.cls_token]:
            ids.insert(0, self.cls_token)
        return ids[:max_length]


def load_encoder(path: Path, vocab_size: int) -> TextEncoder:
    """Read a tokenizer.json; its ids must be below `vocab_size`."""
    if not path.is_file():
        raise InputError("The model's tokenizer is missing.", where=str(path))
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        raise InputError("tokenizer.json cannot be read.", where=f"{path}: {error}") from error
    largest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=0)
    if largest >= vocab_size:
        raise InputError(
            f"The tokenizer makes ids up to {largest}, the model knows {vocab_size}.",
            where=str(path),
            hint="Use the tokenizer that the model was trained with.",
        )
    return TextEncoder(tokenizer, tokenizer.token_to_id(CLS))


def read_sentences(path: Path) -> list[str]:
    """Read one sentence a line, a label behind a tab left out; plain or gzip, UTF-8."""
    lines = [line.partition("\t")[0] for line in _lines(path)]
    return [line for line in lines if line.strip()]


def read_labelled(path: Path, labels: Sequence[str]) -> list[tuple[str, int]]:
    """Read rows of ``text<TAB>label``; the labels must be among `labels`."""
    rows = []
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        text, tab, label = line.rpartition("\t")
        if not tab or label not in labels:
            raise InputError(
                f"The label {label!r} is unknown." if tab else "There is no tab in the row.",
                where=f"{path}, line {number}",
                supported=f"text, a tab, and one of: {', '.join(labels)}",
            )
        rows.append((text, labels.index(label)))
    if not rows:
        raise InputError("There are no rows.", where=str(path))
    return rows


def synthetic_sentences(
    vocab_size: int, cls_token: int | None, max_length: int, count: int = 64
) -> list[list[int]]:
    """Return sentences of random tokens, the same on every call, for want of calibration text."""
    rng = np.random.default_rng(0)
    first = [] if cls_token is None else [cls_token]
    low = min(5, vocab_size - 1)
    longest = max(2, min(40, max_length) - len(first))
    lengths = rng.integers(1, longest, size=count)
    return [[*first, *rng.integers(low, vocab_size, size=n).tolist()] for n in lengths]


def _lines(path: Path) -> list[str]:
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8") as file:
                return file.read().split("\n")
        return path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError as error:
        raise InputError("There is no such file.", where=str(path)) from error
    except (OSError, EOFError, UnicodeDecodeError, gzip.BadGzipFile) as error:
        raise InputError(
            "The file cannot be read.",
            where=f"{path}: {error}",
            supported="UTF-8 text, plain or compressed by gzip (name ending in .gz)",
        ) from error
