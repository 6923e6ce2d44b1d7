"""Building projects for this machine: with stand-ins for what a world gives them."""

from __future__ import annotations

import ast
import contextlib
import os
import select
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kconfiglib
import numpy as np
import pytest

from tvm_embbert.errors import DeviceError
from tvm_embbert.measure.board_channel import BoardChannel
from tvm_embbert.measure.packet import Role
from tvm_embbert.measure.protocol import (
    FrameType,
    pack,
    pack_sentence,
    unpack_info,
    unpack_result,
    unpack_stack,
)
from tvm_embbert.project.archive import read_archive
from tvm_embbert.project.handler import open_project

STUBS = Path(__file__).parent / "stubs"

QUICK = ("-DCMAKE_C_COMPILER_FORCED=1",)
"""Settings of CMake that spare it from trying the compiler."""

_TIMEOUT_S = 120


def kconfig(
    top: Path, stubs: Path, files: tuple[Path, ...], symbols: Mapping[str, str], **environment: str
) -> kconfiglib.Kconfig:
    """Return the parsed Kconfig after configuration files and symbols; warnings are an error."""
    with _environment(srctree=str(stubs), CONFIG_="CONFIG_", **environment):
        config = kconfiglib.Kconfig(str(top), warn_to_stderr=False)
        for file in files:
            config.load_config(str(file), replace=False)
    for name, value in symbols.items():
        assert config.syms[name].set_value(value)
        assert config.syms[name].str_value == value, f"{name} is not visible"
    assert config.warnings == []
    return config


@contextlib.contextmanager
def _environment(**values: str) -> Iterator[None]:
    old = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(old)


def enabled(config: kconfiglib.Kconfig) -> dict[str, str]:
    """Return the symbols that are set, and their values."""
    named = {s.name: s.str_value for s in config.unique_defined_syms if s.name}
    return {name: value for name, value in named.items() if value not in ("n", "")}


def run(*command: str | Path, **environment: str) -> str:
    """Run a command that must succeed, and return what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def commands(project: Path, verb: str, tool: str, **options: str) -> list[list[str]]:
    """Return what a verb runs of a tool, in whose place one notes its arguments."""
    tools = project.parent / f"tools-{verb}"
    tools.mkdir()
    noted = tools / "noted"
    script = tools / tool
    script.write_text(
        f"#!/usr/bin/env python3\nimport sys\nprint(sys.argv[1:], file=open({str(noted)!r}, 'a'))\n"
    )
    script.chmod(0o755)
    with _environment(PATH=f"{tools}{os.pathsep}{os.environ['PATH']}"):
        getattr(open_project(project), verb)(options)
    return [ast.literal_eval(line) for line in noted.read_text().splitlines()]


def converse(program: Path, typed: str = "") -> str:
    """Run a program with lines on its console, and return what it printed, with plain newlines."""
    done = subprocess.run(
        [program], input=typed.encode(), capture_output=True, timeout=_TIMEOUT_S, check=True
    )
    return done.stdout.decode().replace("\r\n", "\n")


class PipeLine:
    """A line to a program that has its console on standard input and output."""

    name = "pipe"
    baud = 115_200

    def __init__(self, program: Path) -> None:
        self._child = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._to, self._from = self._child.stdin, self._child.stdout

    def write(self, data: bytes) -> None:
        try:
            self._to.write(data)
            self._to.flush()
        except OSError as error:
            raise DeviceError("The program has ended.", where=self.name) from error

    def read(self) -> bytes:
        ready = select.select([self._from], [], [], 0.02)[0]
        return os.read(self._from.fileno(), 4096) if ready else b""

    def status(self) -> int:
        """Return the exit status of a program that ends by itself."""
        return self._child.wait(_TIMEOUT_S)

    def close(self) -> None:
        self._child.kill()
        self._child.wait()
        with contextlib.suppress(OSError):
            self._to.close()
        self._from.close()


def vectors(project: Path) -> list[dict[str, Any]]:
    """Return the project's sentences, and what the model must answer."""
    found = read_archive(project / "model.tar").vectors
    assert found
    return found


def check_validation(program: Path, project: Path, image_number: str, restarted: int) -> None:
    """Ask a validation program for all vectors, for its stack, and to start again."""
    line = PipeLine(program)
    with contextlib.closing(line):
        channel = BoardChannel(line)
        hello = channel.begin(10.0)
        assert (hello.role, hello.image) == (Role.MODEL, int(image_number, 0))
        for vector in vectors(project):
            _check_vector(channel, vector)
        kind, payload = channel.exchange(pack(FrameType.STACK), 10.0)
        assert kind is FrameType.STACK
        size = unpack_info(channel.exchange(pack(FrameType.INFO), 10.0)[1]).stack_size
        assert 0 < unpack_stack(payload) < size
        with pytest.raises(DeviceError):
            channel.begin(0.2)
        assert line.status() == restarted


def _check_vector(channel: BoardChannel, vector: dict[str, Any]) -> None:
    ids = np.array(vector["ids"], np.int32)
    request = pack_sentence(FrameType.INFER, ids, len(ids))
    kind, payload = channel.exchange(request, 30.0)
    result = unpack_result(payload)
    assert (kind, result.code) == (FrameType.INFER, vector["code"])
    assert result.logits.tolist() == (vector["logits"] or [0] * len(result.logits))
