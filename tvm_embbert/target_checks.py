"""Checks of a target's values; each error names the key, what it may be and what to try."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from tvm_embbert.errors import TargetError

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return "Did you mean ...?" with the most similar known word, or "" if none is similar."""
    spellings = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), spellings, n=1)
    return f"Did you mean {spellings[close[0]]!r}?" if close else ""


def require_at_least(key: str, value: int, least: int) -> None:
    """Raise :class:`TargetError` if a number is less than `least`."""
    if value < least:
        raise TargetError(
            f"{key} is {value}.", where=key, supported=f"{least} or more", hint=f"Correct {key}."
        )


def require_at_most(key: str, value: int, most: int) -> None:
    """Raise :class:`TargetError` if a number is more than `most`."""
    if value > most:
        raise TargetError(
            f"{key} is {value}.", where=key, supported=f"{most} or less", hint=f"Correct {key}."
        )


def require_one_of(key: str, value: str, allowed: Sequence[str]) -> None:
    """Raise :class:`TargetError`, with the nearest allowed value, for any other."""
    if value not in allowed:
        raise TargetError(
            f"{key} is {value!r}, which is unknown.",
            where=key,
            supported=", ".join(allowed),
            hint=nearest(value, allowed) or f"Use one of the supported values for {key}.",
        )


def require_text(key: str, value: str) -> None:
    """Raise :class:`TargetError` for an empty text."""
    if not value.strip():
        raise TargetError(f"{key} is empty.", where=key, supported="a text", hint=f"Fill in {key}.")


def require_name(name: str) -> None:
    """Raise :class:`TargetError` for a name that cannot be a file's."""
    # Names become file names and C identifiers.
    if not _NAME.fullmatch(name):
        raise TargetError(
            f"{name!r} is no valid name.",
            where="name",
            supported="lower-case letters, digits, '.', '_' and '-', a letter or digit first",
            hint="Rename it.",
        )
