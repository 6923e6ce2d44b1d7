"""Errors a user can act on.

Every error says what is wrong, where, what is supported and what to try; the command line prints
it without a traceback and exits with the class's ``exit_code``.
"""

from __future__ import annotations


class EmbBertError(Exception):
    """Base of all errors raised on purpose.

    Parameters
    ----------
    what : str
        One sentence that says what is wrong.
    where : str
        File, key, operator or address that it concerns.
    supported : str
        What would have been accepted.
    hint : str
        What to try next.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", supported: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.supported = supported
        self.hint = hint

    def __str__(self) -> str:
        rows = (("where", self.where), ("supported", self.supported), ("try", self.hint))
        return "\n".join([self.what, *(f"  {name}: {text}" for name, text in rows if text)])

    def as_dict(self) -> dict[str, str]:
        """Return the fields for ``--json``."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "where": self.where,
            "supported": self.supported,
            "try": self.hint,
        }


class UsageError(EmbBertError):
    """The arguments of a call or of the command line are wrong."""

    exit_code = 2


class InputError(EmbBertError):
    """A file given by the user (model, data, text) is missing, damaged or of another form."""

    exit_code = 3


class TargetError(EmbBertError):
    """A target's description is unknown or invalid."""

    exit_code = 3


class UnsupportedOperatorError(EmbBertError):
    """The graph holds an operator that no strategy takes."""

    exit_code = 3


class BudgetError(EmbBertError):
    """The compiled model does not fit the device.

    `fitting_length` is the greatest maximum length that would fit, in tokens, if any does.
    """

    exit_code = 4
    fitting_length: int | None = None


class ToolchainError(EmbBertError):
    """A compiler or an emulator is missing, or failed."""

    exit_code = 5


class DeviceError(EmbBertError):
    """The image on the emulator or the board hung, crashed or answered nonsense."""

    exit_code = 6


class FarmError(EmbBertError):
    """A farm's tracker does not answer, its servers have gone, or one of them cannot measure."""

    exit_code = 6
