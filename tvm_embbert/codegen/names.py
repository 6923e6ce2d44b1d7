"""Names in the emitted C: everything global begins with ``tvmgen_<model>``, as in microTVM."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tvm_embbert.errors import UsageError

LONGEST = 41
_MODEL_NAME = re.compile(rf"[a-z][a-z0-9_]{{0,{LONGEST - 1}}}")
_KEYWORDS = """
auto break case char const continue default do double else enum extern float for goto if inline int
long register restrict return short signed sizeof static struct switch typedef union unsigned void
volatile while
"""
_RESERVED = frozenset(_KEYWORDS.split()) | {"n", "first", "rows"}
_SIZES = ("output", "vocabulary", "workspace")
"""What the header has other macros ``TVMGEN_<MODEL>_<...>_SIZE`` of."""


@dataclass(frozen=True)
class Names:
    """Names of one model's library. `model` is a C identifier in lower case."""

    model: str

    def __post_init__(self) -> None:
        """Raise :class:`UsageError` if the model's name is no identifier."""
        if not _MODEL_NAME.fullmatch(self.model):
            raise UsageError(
                f"{self.model!r} cannot be the model's name in C.",
                where="name",
                supported=f"a letter, then letters, digits and _; lower case; up to {LONGEST}",
                hint="Give another name with --name.",
            )

    @property
    def prefix(self) -> str:
        """Return the prefix of symbols."""
        return f"tvmgen_{self.model}"

    @property
    def macro(self) -> str:
        """Return the prefix of macros."""
        return self.prefix.upper()

    def symbol(self, name: str) -> str:
        """Return a symbol."""
        return f"{self.prefix}_{name}"


def identifier(text: str) -> str:
    """Make a C identifier in lower case of a name, such as a folder's."""
    cleaned = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    named = cleaned if cleaned[:1].isalpha() else f"model_{cleaned}"
    return named[:LONGEST].rstrip("_")


def c_name(name: str) -> str:
    """Return a tensor's name as C can have it: no keyword, none of the entry point's own names."""
    cleaned = re.sub(r"[^A-Za-z0-9_]", "_", name)
    taken = cleaned in _RESERVED or cleaned.startswith("memory_") or cleaned[:1].isdigit()
    return f"{cleaned}_" if taken else cleaned


def member(name: str) -> str:
    """Return an input's name in the structs and macros of microTVM's interface.

    ``TVMGEN_<MODEL>_<NAME>_SIZE`` must be the name of no other macro.
    """
    cleaned = c_name(name)
    lower = cleaned.lower()
    taken = lower in _SIZES or lower.endswith("workspace_pool")
    return f"{cleaned}_" if taken else cleaned


def comment(text: str) -> str:
    """Return text that may stand in a C comment: on one line, without its marks or trigraphs."""
    flat = " ".join(text.split())
    for mark in ("*/", "/*", "??"):
        flat = flat.replace(mark, f"{mark[0]} {mark[1]}")
    return flat.replace("\\", "/")
