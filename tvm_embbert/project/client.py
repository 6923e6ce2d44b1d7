"""A handler whose verbs are those of a server in another process: an outside template's."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from tvm_embbert.errors import InputError, ToolchainError
from tvm_embbert.project.api import (
    PROTOCOL,
    SERVER_ERRORS,
    Options,
    ProjectHandler,
    ProjectOption,
    ServerInfo,
    TransportTimeouts,
)
from tvm_embbert.project.server import SERVER_FILE

LAUNCHER = "launch_microtvm_api_server.sh"
"""A script that starts the server in an environment of its own; used where both are there."""

_QUIT_S = 5.0


def has_server(folder: Path) -> bool:
    """Return whether a folder holds a server of the Project API."""
    return (folder / SERVER_FILE).is_file() or (folder / LAUNCHER).is_file()


class RemoteHandler(ProjectHandler):
    """The server in a folder, started with it as working folder; a context manager that ends it."""

    def __init__(self, folder: Path) -> None:
        """Start the server.

        Raises
        ------
        InputError
            The folder holds no server.
        ToolchainError
            It cannot be started.
        """
        self._folder = folder.resolve()
        command = _command(self._folder)
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        named = ["--read-fd", str(theirs_in), "--write-fd", str(theirs_out)]
        try:
            self._child = subprocess.Popen(
                [*command, *named], cwd=self._folder, pass_fds=(theirs_in, theirs_out)
            )
        except OSError as error:
            what = f"The server cannot be started: {error}"
            raise ToolchainError(what, where=command[0]) from error
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        self._replies, self._requests = os.fdopen(ours_in, "rb"), os.fdopen(ours_out, "wb")
        self._number = 0

    def __enter__(self) -> Self:
        """Return the handler itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the server."""
        self.close()

    def close(self) -> None:
        """End the server; may be called again."""
        for stream in (self._requests, self._replies):
            stream.close()
        try:
            self._child.wait(_QUIT_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def server_info_query(self, tvm_version: str = "") -> ServerInfo:
        """Ask what it is a server of."""
        told = self._ask("server_info_query", tvm_version=tvm_version or version("apache-tvm"))
        if told.get("protocol_version", PROTOCOL) != PROTOCOL:
            raise InputError(
                f"The server speaks version {told['protocol_version']} of the Project API.",
                where=str(self._folder),
                supported=f"version {PROTOCOL}",
            )
        path = told["model_library_format_path"]
        options = tuple(_option(fields) for fields in told["project_options"])
        archive = None if path is None else Path(path)
        return ServerInfo(told["platform_name"], told["is_template"], archive, options)

    def generate_project(
        self,
        model_library_format_path: Path,
        standalone_crt_dir: Path | None,
        project_dir: Path,
        options: Options,
    ) -> None:
        """Ask for a project."""
        self._ask(
            "generate_project",
            model_library_format_path=str(model_library_format_path.resolve()),
            standalone_crt_dir=str(standalone_crt_dir or ""),
            project_dir=str(project_dir.resolve()),
            options=dict(options),
        )

    def build(self, options: Options) -> None:
        """Ask to build."""
        self._ask("build", options=dict(options))

    def flash(self, options: Options) -> None:
        """Ask to flash."""
        self._ask("flash", options=dict(options))

    def open_transport(self, options: Options) -> TransportTimeouts:
        """Ask to open the transport."""
        return TransportTimeouts(**self._ask("open_transport", options=dict(options))["timeouts"])

    def close_transport(self) -> None:
        """Ask to close the transport."""
        self._ask("close_transport")

    def read_transport(self, n: int, timeout_sec: float | None) -> bytes:
        """Ask for bytes."""
        return base64.b85decode(self._ask("read_transport", n=n, timeout_sec=timeout_sec)["data"])

    def write_transport(self, data: bytes, timeout_sec: float | None) -> None:
        """Give bytes."""
        coded = base64.b85encode(data).decode()
        self._ask("write_transport", data=coded, timeout_sec=timeout_sec)

    def _ask(self, verb: str, **params: Any) -> Any:
        self._number += 1
        request = {"jsonrpc": "2.0", "method": verb, "params": params, "id": self._number}
        try:
            self._requests.write(json.dumps(request).encode() + b"\n")
            self._requests.flush()
            reply = json.loads(self._replies.readline())
        except (OSError, ValueError) as error:
            raise self._broken(verb) from error
        if reply.get("id") != self._number:
            raise self._broken(verb)
        if reply.get("error"):
            raise self._error(verb, reply["error"])
        return reply.get("result")

    def _broken(self, verb: str) -> ToolchainError:
        return ToolchainError(
            f"The server did not answer {verb!r} as the Project API asks.",
            where=str(self._folder),
            hint="Look at what it printed.",
        )

    def _error(self, verb: str, error: dict[str, Any]) -> Exception:
        known = SERVER_ERRORS.get(error["message"])
        if known:
            return known(f"{verb} at {self._folder}")
        return ToolchainError(f"{verb!r} failed: {error['message']}", where=str(self._folder))


def _command(folder: Path) -> Sequence[str]:
    if (folder / LAUNCHER).is_file():
        return [str(folder / LAUNCHER)]
    if (folder / SERVER_FILE).is_file():
        return [sys.executable, str(folder / SERVER_FILE)]
    raise InputError(
        "The folder holds no server of the Project API.",
        where=str(folder),
        supported=f"{SERVER_FILE} or {LAUNCHER}",
    )


def _option(fields: dict[str, Any]) -> ProjectOption:
    known = {k: fields.get(k) for k in ("help", "type", "default")}
    lists = {
        k: None if fields.get(k) is None else tuple(fields[k])
        for k in ("choices", "required", "optional")
    }
    return ProjectOption(name=fields["name"], **known, **lists)  # type: ignore[arg-type]
