"""Names in the emitted C: everything global begins with ``tvmgen_<model>``, as in microTVM."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tvm_embbert.errors import UsageError

_MODEL_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")


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
                supported="lower-case letters, digits and _, a letter first, up to 41 of them",
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
    cleaned = re.sub(r"\W+", "_", text.lower()).strip("_")
    return cleaned if cleaned[:1].isalpha() else f"model_{cleaned}".rstrip("_")
