"""A board on a serial line from the command line; QEMU is the board."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from flow import SHAPES, model_folder
from serial_board import serial_board

from tvm_embbert.target_file import load_target

pytestmark = pytest.mark.emulator

TARGET = "mps2-an386"
TEXTS = ("--text", "w5 w6 w7", "--text", "w9")


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "tvm_embbert.cli", *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done


def as_json(*arguments: object) -> object:
    done = command(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("board")
    source = model_folder(SHAPES[0], folder / "small")
    as_json("compile", source, "--target", TARGET, "--out", folder / "out", "--no-measure")
    return folder / "out"


def with_serial(compiled: Path, **values: object) -> None:
    """Change what a compiled model remembers of the device's serial line."""
    path = compiled / "compiled.json"
    metadata = json.loads(path.read_text())
    metadata["target"]["serial"].update(values)
    path.write_text(json.dumps(metadata))


def test_the_board_answers_what_the_emulator_does(compiled: Path, tmp_path: Path) -> None:
    answers = as_json("run", compiled, *TEXTS)
    assert isinstance(answers, list)
    rows = tmp_path / "rows.tsv"
    rows.write_text("".join(f"{a['text']}\t{a['label']}\n" for a in answers))
    checked = as_json("validate", compiled, "--data", rows)
    monitor = as_json("monitor", "--target", TARGET, "--out", tmp_path)
    assert isinstance(monitor, dict)
    assert monitor["flashed"] is False
    emulator = load_target(TARGET).core.emulator
    assert emulator is not None
    with serial_board(emulator, Path(monitor["elf"])) as board:
        line = ("--port", board.port, "--baud", 115200)
        assert as_json("run", compiled, *line, *TEXTS) == answers
        assert as_json("validate", compiled, *line, "--data", rows) == checked
        board.unplug()
        dead = command("run", compiled, *line, "--timeout", 1, *TEXTS)
    assert answers[0]["instructions"] > 1000
    assert dead.returncode == 6
    assert "did not answer within 1 s" in dead.stderr


def test_the_image_is_flashed_where_there_is_no_monitor(compiled: Path, tmp_path: Path) -> None:
    """The command copies the image; the board that runs it is started by hand."""
    answers = as_json("run", compiled, *TEXTS)
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
        assert as_json("run", compiled, *line, *TEXTS) == answers


def test_a_port_is_needed(compiled: Path) -> None:
    done = command("run", compiled, "--port", *TEXTS)
    assert done.returncode == 2
    assert "port is not given" in done.stderr


def test_commands_that_a_target_lacks(tmp_path: Path) -> None:
    none = command("monitor", "--target", "nrf52840", "--out", tmp_path)
    assert none.returncode == 3
    assert "no serial line" in none.stderr
    flash = command("monitor", "--target", TARGET, "--out", tmp_path, "--flash")
    assert flash.returncode == 3
    assert "no command to flash" in flash.stderr
