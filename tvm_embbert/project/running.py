"""Running the commands of a template, in a project's folder."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from tvm_embbert.errors import ToolchainError
from tvm_embbert.measure.toolchain import find_program
from tvm_embbert.project.template import Commands

LOG = "tvm_embbert_{verb}.log"
"""What the commands of a verb printed; in the project's folder."""

_SHOWN_LINES = 30


def run_commands(
    folder: Path, verb: str, commands: Commands, lines: Iterable[Sequence[str]]
) -> Path:
    """Run commands one after the other.

    Parameters
    ----------
    folder : Path
        The project.
    verb : str
        Names the log.
    commands : Commands
        What they need installed.
    lines : iterable of sequence of str
        Them, rendered.

    Returns
    -------
    Path
        What they printed.

    Raises
    ------
    ToolchainError
        A program is missing, or fails; the error holds the last lines of what it printed.
    """
    for program, install in commands.needs.items():
        find_program(program, install)
    log = folder / LOG.format(verb=verb)
    with log.open("wb") as out:
        for line in lines:
            _run(folder, line, log, out.fileno())
    return log


def _run(folder: Path, line: Sequence[str], log: Path, out: int) -> None:
    try:
        done = subprocess.run(
            line, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
    except OSError as error:
        raise ToolchainError(f"The command cannot be started: {error}", where=line[0]) from error
    if done.returncode != 0:
        shown = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN_LINES:]
        text = "\n".join(["", *(f"    {row}" for row in shown)])
        raise ToolchainError(
            f"The command failed with status {done.returncode}:{text}",
            where=" ".join(line),
            hint=f"All that it printed is in {log}.",
        )
