"""Serving a project's handler over JSON-RPC, as microTVM's client speaks it.

Requests and replies are lines of JSON-RPC 2.0 on two file descriptors; bytes go in base 85.
"""

from __future__ import annotations

import argparse
import base64
import inspect
import json
import os
import traceback
from collections.abc import Callable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, BinaryIO

from tvm_embbert.project.api import SERVER_ERRORS, VERBS, ProjectHandler

SERVER_FILE = "microtvm_api_server.py"


class ErrorCode(IntEnum):
    """Codes of errors: those of JSON-RPC, and microTVM's for what a handler raised."""

    SERVER_ERROR = -32000
    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602


class RequestError(Exception):
    """A request that no handler gets to see."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def serve(handler: ProjectHandler, requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests until there are no more."""
    verbs = _Verbs(handler)
    for line in requests:
        reply = {"jsonrpc": "2.0", **_reply(verbs, line)}
        replies.write(json.dumps(reply).encode() + b"\n")
        replies.flush()


def _reply(verbs: _Verbs, line: bytes) -> dict[str, Any]:
    number = None
    try:
        request = _request(line)
        number = request["id"]
        return {"id": number, "result": verbs.call(request["method"], request["params"])}
    except RequestError as error:
        return {"id": number, "error": _error(error.code, str(error))}
    # Whatever a handler raises is the client's to see; the server goes on.
    except Exception as error:
        known = type(error).__name__ if type(error).__name__ in SERVER_ERRORS else str(error)
        trace = "".join(traceback.format_exception(error))
        return {"id": number, "error": _error(ErrorCode.SERVER_ERROR, known, trace)}


def _error(code: ErrorCode, message: str, trace: str = "") -> dict[str, Any]:
    return {"code": int(code), "message": message, "data": {"traceback": trace} if trace else None}


def _request(line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except ValueError as error:
        raise RequestError(ErrorCode.PARSE_ERROR, f"not JSON: {error}") from error
    wanted = {"jsonrpc": str, "method": str, "params": dict, "id": (str, int, type(None))}
    for name, kind in wanted.items():
        if not isinstance(request, dict) or not isinstance(request.get(name), kind):  # type: ignore[arg-type]
            raise RequestError(ErrorCode.INVALID_REQUEST, f"{name} is missing, or of no such type")
    if request["jsonrpc"] != "2.0":
        raise RequestError(ErrorCode.INVALID_REQUEST, "jsonrpc is not 2.0")
    return dict(request)


class _Verbs:
    """Calls the handler's verbs with parameters as JSON has them, and returns JSON."""

    def __init__(self, handler: ProjectHandler) -> None:
        self._handler = handler

    def call(self, verb: str, params: dict[str, Any]) -> Any:
        if verb not in VERBS:
            raise RequestError(ErrorCode.METHOD_NOT_FOUND, f"no verb {verb!r}: {', '.join(VERBS)}")
        function = getattr(self._handler, verb)
        # Clients of old versions of TVM do not tell theirs.
        given = {"tvm_version": "", **params} if verb == "server_info_query" else params
        self._check(verb, function, given)
        adapted: Callable[..., Any] = getattr(self, f"_{verb}", function)
        return adapted(**given)

    @staticmethod
    def _check(verb: str, function: Callable[..., Any], params: dict[str, Any]) -> None:
        wanted = set(inspect.signature(function).parameters)
        if wanted != set(params):
            message = f"{verb} takes {sorted(wanted)}, got {sorted(params)}"
            raise RequestError(ErrorCode.INVALID_PARAMS, message)

    def _server_info_query(self, tvm_version: str) -> dict[str, Any]:
        return self._handler.server_info_query(tvm_version).as_json()

    def _generate_project(
        self,
        model_library_format_path: str,
        standalone_crt_dir: str | None,
        project_dir: str,
        options: dict[str, Any],
    ) -> None:
        runtime = Path(standalone_crt_dir) if standalone_crt_dir else None
        archive, folder = Path(model_library_format_path), Path(project_dir)
        self._handler.generate_project(archive, runtime, folder, options)

    def _open_transport(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"timeouts": vars(self._handler.open_transport(options))}

    def _read_transport(self, n: int, timeout_sec: float | None) -> dict[str, str]:
        data = self._handler.read_transport(n, timeout_sec)
        return {"data": base64.b85encode(data).decode()}

    def _write_transport(self, data: str, timeout_sec: float | None) -> None:
        self._handler.write_transport(base64.b85decode(data), timeout_sec)


def main(handler: ProjectHandler, arguments: Sequence[str] | None = None) -> None:
    """Serve on the file descriptors that the command line names, as microTVM starts a server."""
    parser = argparse.ArgumentParser(description="A server of microTVM's Project API.")
    parser.add_argument("--read-fd", type=int, required=True, help="where requests come from")
    parser.add_argument("--write-fd", type=int, required=True, help="where replies go")
    parser.add_argument("--debug", action="store_true", help="taken for microTVM's sake")
    options = parser.parse_args(arguments)
    with os.fdopen(options.read_fd, "rb") as requests, os.fdopen(options.write_fd, "wb") as replies:
        serve(handler, requests, replies)
