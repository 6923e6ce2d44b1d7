"""The Project API over JSON-RPC: what a server answers, and what its client makes of it."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tvm_embbert.errors import InputError, ToolchainError
from tvm_embbert.project.api import (
    IoTimeoutError,
    Options,
    ProjectHandler,
    ProjectOption,
    ServerInfo,
    TransportClosedError,
    TransportTimeouts,
)
from tvm_embbert.project.client import RemoteHandler
from tvm_embbert.project.server import SERVER_FILE, serve

SERVER = """\
import sys
sys.path.insert(0, {tests!r})
from test_project_api import Echo
from tvm_embbert.project.server import main
main(Echo())
"""


class Echo(ProjectHandler):
    """Writes down what it is asked, and sends back what is written to it."""

    def __init__(self) -> None:
        self.data = b""
        self.is_open = False

    def server_info_query(self, tvm_version: str) -> ServerInfo:
        option = ProjectOption("board", "which", choices=("a", "b"), required=("build",))
        return ServerInfo("echo", True, None, (option,))

    def generate_project(
        self,
        model_library_format_path: Path,
        standalone_crt_dir: Path | None,
        project_dir: Path,
        options: Options,
    ) -> None:
        project_dir.mkdir()
        told = [str(model_library_format_path), str(standalone_crt_dir), dict(options)]
        (project_dir / "told.json").write_text(json.dumps(told))

    def build(self, options: Options) -> None:
        raise ValueError(f"cannot build {options['board']}")

    def flash(self, options: Options) -> None:
        raise NotImplementedError

    def open_transport(self, options: Options) -> TransportTimeouts:
        self.is_open = True
        return TransportTimeouts(1.0, 2.0, 3.0)

    def close_transport(self) -> None:
        self.is_open = False

    def read_transport(self, n: int, timeout_sec: float | None) -> bytes:
        if not self.is_open:
            raise TransportClosedError
        if not self.data:
            raise IoTimeoutError
        data, self.data = self.data[:n], self.data[n:]
        return data

    def write_transport(self, data: bytes, timeout_sec: float | None) -> None:
        self.data += data


def answers(*requests: Any) -> list[dict[str, Any]]:
    """Return the replies to some requests, which are JSON unless they are bytes."""
    lines = [r if isinstance(r, bytes) else json.dumps(r).encode() for r in requests]
    replies = io.BytesIO()
    serve(Echo(), io.BytesIO(b"\n".join([*lines, b""])), replies)
    return [json.loads(line) for line in replies.getvalue().splitlines()]


def request(method: str, number: int | str | None = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params, "id": number}


def coded(data: bytes) -> str:
    return base64.b85encode(data).decode()


def test_what_a_server_tells_of_itself() -> None:
    reply, old = answers(
        request("server_info_query", 7, tvm_version="0.18.0"), request("server_info_query", 8)
    )
    assert reply["id"] == 7
    assert reply["jsonrpc"] == "2.0"
    assert reply["result"] == {
        "platform_name": "echo",
        "is_template": True,
        "model_library_format_path": None,
        "protocol_version": 1,
        "project_options": [
            {
                "name": "board",
                "help": "which",
                "type": "str",
                "choices": ["a", "b"],
                "default": None,
                "required": ["build"],
                "optional": None,
            }
        ],
    }
    assert old["result"] == reply["result"]


def test_bytes_go_in_base_85() -> None:
    opened, written, read = answers(
        request("open_transport", options={}),
        request("write_transport", data=coded(b"hello"), timeout_sec=None),
        request("read_transport", n=3, timeout_sec=0.5),
    )
    assert opened["result"]["timeouts"]["session_start_timeout_sec"] == 2.0
    assert written["result"] is None
    assert read["result"] == {"data": coded(b"hel")}


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b"{", -32700),
        ([], -32600),
        ({"jsonrpc": "1.0", "method": "build", "params": {}, "id": 1}, -32600),
        ({"jsonrpc": "2.0", "method": "build", "params": [], "id": 1}, -32600),
        (request("destroy"), -32601),
        (request("__init__"), -32601),
        (request("build"), -32602),
        (request("build", options={}, more=1), -32602),
        (request("build", options={"board": "a"}), -32000),
    ],
)
def test_errors_are_answered_and_the_server_goes_on(bad: Any, code: int) -> None:
    reply, after = answers(bad, request("close_transport", "two"))
    assert reply["error"]["code"] == code
    assert reply["error"]["message"]
    assert after == {"jsonrpc": "2.0", "id": "two", "result": None}


def test_what_a_handler_raises_goes_by_its_name() -> None:
    (closed,) = answers(request("read_transport", n=1, timeout_sec=0))
    assert closed["error"]["message"] == "TransportClosedError"
    assert "read_transport" in closed["error"]["data"]["traceback"]


@pytest.fixture
def remote(tmp_path: Path) -> Any:
    """A client of a server in another process."""
    text = SERVER.format(tests=str(Path(__file__).parent))
    (tmp_path / SERVER_FILE).write_text(text)
    with RemoteHandler(tmp_path) as handler:
        yield handler


def test_a_server_in_another_process(remote: RemoteHandler, tmp_path: Path) -> None:
    info = remote.server_info_query()
    assert info == Echo().server_info_query("")
    archive, project = tmp_path / "model.tar", tmp_path / "made"
    remote.generate_project(archive, None, project, {"board": "a"})
    assert json.loads((project / "told.json").read_text()) == [str(archive), "None", {"board": "a"}]
    with pytest.raises(TransportClosedError):
        remote.read_transport(1, 0.0)
    assert remote.open_transport({}) == TransportTimeouts(1.0, 2.0, 3.0)
    with pytest.raises(IoTimeoutError):
        remote.read_transport(1, 0.0)
    every = bytes(range(256))
    remote.write_transport(every, None)
    assert remote.read_transport(1000, None) == every
    remote.close_transport()
    with pytest.raises(ToolchainError, match="cannot build b"):
        remote.build({"board": "b"})


def test_a_server_that_dies_is_told_of(tmp_path: Path) -> None:
    (tmp_path / SERVER_FILE).write_text("raise SystemExit(3)\n")
    with RemoteHandler(tmp_path) as handler, pytest.raises(ToolchainError, match="did not answer"):
        handler.server_info_query()


def test_a_folder_without_a_server(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no server"):
        RemoteHandler(tmp_path)
