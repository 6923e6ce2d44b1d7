"""Pages of the documentation as what they are to a reader: files to write, commands to type.

An HTML comment before a fenced block says what the block is:

- ``<!-- file: PATH -->``: the contents of a file;
- ``<!-- run -->``: a console. Lines after ``$`` are commands; the others must be in the output of
  the command before, figures apart; ``...`` stands for anything. ``host`` or ``emulator`` in the
  comment says what it needs, ``serial`` that a board must be at :data:`PORT`; ``exit=N`` with which
  code the commands of this project end.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
TIMEOUT_S = 300.0
PORT = "/dev/ttyACM0"
"""The serial port on the pages."""
OURS = ("tvm-embbert", "python")
"""Programs that ``exit=N`` speaks of."""

_MARKED = re.compile(r"<!-- (file|run)(?:: ([^>]*?))? -->\n```\w*\n(.*?)^```$", re.M | re.S)
_FIGURE = re.compile(r"\d[\d,.]*")


@dataclass(frozen=True)
class Console:
    """Commands with the lines that they print, what they need, and the exit code."""

    commands: list[tuple[str, list[str]]]
    needs: str
    code: int


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def files(name: str) -> dict[str, str]:
    """Return the files that a page tells to write."""
    return {what: text for kind, what, text in _MARKED.findall(read(name)) if kind == "file"}


def consoles(name: str) -> list[Console]:
    """Return the consoles of a page, in order."""
    return [
        _console(what, text) for kind, what, text in _MARKED.findall(read(name)) if kind == "run"
    ]


def _console(what: str, text: str) -> Console:
    words = what.split()
    codes = [int(word.removeprefix("exit=")) for word in words if word.startswith("exit=")]
    needs = [word for word in words if word in ("host", "emulator", "serial")]
    commands: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], []))
        elif line.strip():
            commands[-1][1].append(line)
    return Console(commands, "".join(needs), sum(codes))


def follow(name: str, folder: Path, needs: tuple[str, ...], port: str = PORT) -> int:
    """Do what a page says, in a folder; returns how many commands were run.

    Only consoles that need one of `needs` are run; ``""`` is for those that need nothing. `port` is
    where the board is really.
    """
    for path, text in files(name).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    if not (folder / "tests").exists():
        (folder / "tests").symlink_to(ROOT / "tests")
    chosen = [console for console in consoles(name) if console.needs in needs]
    for console in chosen:
        for command, printed in console.commands:
            _run(command.replace(PORT, port), printed, console.code, folder)
    return sum(len(console.commands) for console in chosen)


def _run(command: str, printed: list[str], code: int, folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    output = done.stdout + done.stderr
    expected = code if command.startswith(OURS) else 0
    assert done.returncode == expected, f"{command}\nended with {done.returncode}\n{output}"
    for line in printed:
        parts = (re.escape(_shape(part)) for part in line.split("..."))
        found = re.search(".*".join(parts), _shape(output))
        assert found, f"{command}\ndid not print\n{line}\nbut\n{output}"


def _shape(text: str) -> str:
    """Return a text without what may vary: figures, and the width of columns."""
    return " ".join(_FIGURE.sub("#", text).split())
