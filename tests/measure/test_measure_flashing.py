"""The user's command that flashes a board."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tvm_embbert.errors import ToolchainError
from tvm_embbert.measure import Flasher


def python(code: str, *arguments: str) -> str:
    return " ".join([sys.executable, "-c", f'"{code}"', *arguments])


def test_the_command_gets_image_and_port(tmp_path: Path) -> None:
    image, board = tmp_path / "my image.elf", tmp_path / "board"
    image.write_bytes(b"image")
    code = "import sys, pathlib; a = sys.argv; p = pathlib.Path(a[1]); "
    code += "pathlib.Path(a[2]).write_text(p.read_text() + a[3])"
    flasher = Flasher(python(code, "{elf}", str(board), "--port={port}"), "/dev/ttyX")
    for count in (1, 2):
        flasher.flash(image)
        assert flasher.count == count
    assert board.read_text() == "image--port=/dev/ttyX"


def test_a_command_that_fails_is_quoted_and_counted(tmp_path: Path) -> None:
    flasher = Flasher(python("import sys; print('no probe found'); sys.exit(3)", "{elf}"), "")
    with pytest.raises(ToolchainError, match="no probe found") as caught:
        flasher.flash(tmp_path / "image.elf")
    assert "image.elf" in caught.value.where
    assert flasher.count == 1


def test_a_command_that_is_missing(tmp_path: Path) -> None:
    flasher = Flasher("no-such-flasher {elf}", "")
    with pytest.raises(ToolchainError, match="No such file"):
        flasher.flash(tmp_path / "image.elf")
    assert flasher.count == 0
