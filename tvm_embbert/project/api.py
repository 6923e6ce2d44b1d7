"""The eight verbs of microTVM's Project API, and the records that they exchange.

A server of this API makes a project of a model and of a template, builds it, puts it on a device
and carries bytes to it and back. Verbs, fields and errors have microTVM's names, so that its tools
and template servers written for it go on working (``tvm.micro.project_api`` of TVM 0.18, protocol
1).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PROTOCOL = 1
"""Version of the exchange; a server tells it in ``protocol_version``."""

VERBS = (
    "server_info_query",
    "generate_project",
    "build",
    "flash",
    "open_transport",
    "close_transport",
    "read_transport",
    "write_transport",
)

Options = Mapping[str, Any]
"""Values of options by their names."""


class TransportClosedError(Exception):
    """The transport broke off, or is not open."""


class IoTimeoutError(Exception):
    """Nothing could be read, or not all be written, in time."""


class UnsupportedTVMVersionError(Exception):
    """The client's version of TVM is one that the server cannot work with."""


SERVER_ERRORS: Mapping[str, type[Exception]] = {
    error.__name__: error
    for error in (TransportClosedError, IoTimeoutError, UnsupportedTVMVersionError)
}
"""Errors that go by their names from a server to its client."""


@dataclass(frozen=True)
class ProjectOption:
    """An option of some verbs.

    Attributes
    ----------
    name, help : str
        What it is called, and does.
    type : str
        "str", "int" or "bool".
    choices : tuple of str, optional
        The only values, where there are but some.
    default : str, int or bool, optional
        Its value where none is given.
    required, optional : tuple of str, optional
        Verbs that need it, and those that take it.
    """

    name: str
    help: str
    type: str = "str"
    choices: tuple[str, ...] | None = None
    default: str | int | bool | None = None
    required: tuple[str, ...] | None = None
    optional: tuple[str, ...] | None = None


@dataclass(frozen=True)
class ServerInfo:
    """What a server tells of itself: a template, or a project with the model's archive in it."""

    platform_name: str
    is_template: bool
    model_library_format_path: Path | None
    project_options: tuple[ProjectOption, ...]
    protocol_version: int = PROTOCOL

    def as_json(self) -> dict[str, Any]:
        """Return the reply to ``server_info_query``."""
        path = self.model_library_format_path
        return {**asdict(self), "model_library_format_path": None if path is None else str(path)}


@dataclass(frozen=True)
class TransportTimeouts:
    """Seconds that microTVM's sessions wait: to repeat a start, for a start, for an answer."""

    session_start_retry_timeout_sec: float = 2.0
    session_start_timeout_sec: float = 10.0
    session_established_timeout_sec: float = 120.0


class ProjectHandler(ABC):
    """The eight verbs; those of the transport raise the errors of this module."""

    @abstractmethod
    def server_info_query(self, tvm_version: str) -> ServerInfo:
        """Tell what this is a server of, and which options its verbs take."""

    @abstractmethod
    def generate_project(
        self,
        model_library_format_path: Path,
        standalone_crt_dir: Path | None,
        project_dir: Path,
        options: Options,
    ) -> None:
        """Write a project for a model into a folder.

        Parameters
        ----------
        model_library_format_path : Path
            ``model.tar``.
        standalone_crt_dir : Path or None
            microTVM's C runtime; templates that need none pass over it.
        project_dir : Path
            The folder.
        options : mapping
            Options of this verb.
        """

    @abstractmethod
    def build(self, options: Options) -> None:
        """Build the project."""

    @abstractmethod
    def flash(self, options: Options) -> None:
        """Put what was built on the device."""

    @abstractmethod
    def open_transport(self, options: Options) -> TransportTimeouts:
        """Begin to carry bytes to the device and back."""

    @abstractmethod
    def close_transport(self) -> None:
        """Stop carrying bytes; nothing happens where that was not begun."""

    @abstractmethod
    def read_transport(self, n: int, timeout_sec: float | None) -> bytes:
        """Return 1 to n bytes; None waits for ever, 0 not at all."""

    @abstractmethod
    def write_transport(self, data: bytes, timeout_sec: float | None) -> None:
        """Send all bytes."""
