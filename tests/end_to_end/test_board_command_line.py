"""A board on a serial line from the command line; QEMU is the board."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from flow import SHAPES, model_folder
from serial_board import serial_board

import tvm_embbert
from tvm_embbert.cli import main
from tvm_embbert.target_file import load_target

pytestmark = pytest.mark.emulator

TARGET = "mps2-an386"
Command = Callable[..., "Done"]
TEXTS = ("--text", "w5 w6 w7", "--text", "w9")


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs the command line, in this process as that is faster."""

    def run(*arguments: object) -> Done:
        code = main([str(argument) for argument in arguments])
        return Done(code, *capsys.readouterr())

    return run


def as_json(done: Done) -> object:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("board")
    source = model_folder(SHAPES[0], folder / "small")
    tvm_embbert.compile_model(source, TARGET, folder / "out", measure=False)
    return folder / "out"


def with_serial(compiled: Path, **values: object) -> None:
    """Change what a compiled model remembers of the device's serial line."""
    path = compiled / "compiled.json"
    metadata = json.loads(path.read_text())
    metadata["target"]["serial"].update(values)
    path.write_text(json.dumps(metadata))


def test_the_board_answers_what_the_emulator_does(
    command: Command, compiled: Path, tmp_path: Path
) -> None:
    answers = as_json(command("run", compiled, *TEXTS, "--json"))
    assert isinstance(answers, list)
    rows = tmp_path / "rows.tsv"
    rows.write_text("".join(f"{a['text']}\t{a['label']}\n" for a in answers))
    checked = as_json(command("validate", compiled, "--data", rows, "--json"))
    monitor = as_json(command("monitor", "--target", TARGET, "--out", tmp_path, "--json"))
    assert isinstance(monitor, dict)
    assert monitor["flashed"] is False
    emulator = load_target(TARGET).core.emulator
    assert emulator is not None
    with serial_board(emulator, Path(monitor["elf"])) as board:
        line = ("--port", board.port, "--baud", 115200)
        assert as_json(command("run", compiled, *line, *TEXTS, "--json")) == answers
        assert as_json(command("validate", compiled, *line, "--data", rows, "--json")) == checked
        board.unplug()
        dead = command("run", compiled, *line, "--timeout", 1, *TEXTS)
    assert answers[0]["instructions"] > 1000
    assert dead.returncode == 6
    assert "did not answer within 1 s" in dead.stderr


def test_the_image_is_flashed_where_there_is_no_monitor(
    command: Command, compiled: Path, tmp_path: Path
) -> None:
    """The command copies the image; the board that runs it is started by hand."""
    answers = as_json(command("run", compiled, *TEXTS, "--json"))
    copied = tmp_path / "flashed.elf"
    copy = f"{sys.executable} -c 'import shutil, sys; shutil.copy(*sys.argv[1:])' {{elf}} {copied}"
    with_serial(compiled, load_ram=None, flash=copy)
    missing = command("run", compiled, "--port", tmp_path / "tty", *TEXTS)
    assert missing.returncode == 6
    assert "No such file or directory" in missing.stderr
    assert not copied.exists()
    emulator = load_target(TARGET).core.emulator
    assert emulator is not None
    other = compiled / "image" / f"out-{TARGET}.elf"
    with serial_board(emulator, other) as board:
        line = ("--port", board.port, "--timeout", 2)
        # It answers nothing, so it is flashed; and as nothing changes, that is all.
        assert command("run", compiled, *line, *TEXTS).returncode == 6
        board.flash(copied)
        assert as_json(command("run", compiled, *line, *TEXTS, "--json")) == answers


def test_a_port_is_needed(command: Command, compiled: Path) -> None:
    done = command("run", compiled, "--port", *TEXTS)
    assert done.returncode == 2
    assert "port is not given" in done.stderr


def test_commands_that_a_target_lacks(command: Command, tmp_path: Path) -> None:
    none = command("monitor", "--target", "nrf52840", "--out", tmp_path)
    assert none.returncode == 3
    assert "no serial line" in none.stderr
    flash = command("monitor", "--target", TARGET, "--out", tmp_path, "--flash")
    assert flash.returncode == 3
    assert "no command to flash" in flash.stderr
