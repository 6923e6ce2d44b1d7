"""Writing images to a board's flash with the user's own command, and counting how often."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tvm_embbert.errors import ToolchainError

FLASH_TIMEOUT_S = 300.0
"""Seconds that writing one image may take."""

_SHOWN_LINES = 20


@dataclass
class Flasher:
    """A board's flash, which wears: ``count`` is how often this object wrote to it.

    Attributes
    ----------
    command : str
        The command, with ``{elf}`` in the place of the image and ``{port}`` in that of the serial
        port. It is run without a shell.
    port : str
        The serial port.
    """

    command: str
    port: str
    count: int = 0

    def flash(self, elf: Path) -> None:
        """Write an image.

        Raises
        ------
        ToolchainError
            If the command cannot be run, fails or takes too long.
        """
        words = [self._filled(word, elf) for word in shlex.split(self.command)]
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=FLASH_TIMEOUT_S,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _failed(words, str(error)) from error
        # A command that failed may have erased the flash before.
        self.count += 1
        if done.returncode != 0:
            lines = done.stdout.strip().splitlines()[-_SHOWN_LINES:]
            raise _failed(words, "\n".join(["", *(f"    {line}" for line in lines)]))

    def _filled(self, word: str, elf: Path) -> str:
        return word.replace("{elf}", str(elf)).replace("{port}", self.port)


def _failed(words: list[str], reason: str) -> ToolchainError:
    return ToolchainError(
        f"The board could not be flashed: {reason}",
        where=shlex.join(words),
        supported="a command that ends with status 0 once the image is written",
        hint="Run the command by hand, and correct flash in the device's file.",
    )
