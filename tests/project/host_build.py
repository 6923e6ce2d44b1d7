"""Builds what a project holds, for this machine as a rule, with stubs in the place of its world."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Sequence
from pathlib import Path

STUBS = Path(__file__).parent / "stubs"

WARNINGS = ("-Wall", "-Wextra", "-Werror", "-O0")
"""For all sources, the model's, too."""

_STANDARDS = {".c": ("gcc", "-std=gnu11"), ".cpp": ("g++", "-std=gnu++14")}


class HostBuild:
    """Compiles sources to objects in a folder, and links programs of them.

    Parameters
    ----------
    out : Path
        The folder; made if missing.
    includes : sequence of Path
        Folders of headers.
    flags : sequence of str
        For all sources.
    prefix : str
        Of the compiler's name, where another machine is meant.
    """

    def __init__(
        self, out: Path, includes: Sequence[Path], flags: Sequence[str] = (), prefix: str = ""
    ) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._out, self._prefix = out, prefix
        self._flags = [*WARNINGS, *flags, *(f"-I{folder}" for folder in includes)]

    def objects(self, sources: Sequence[Path], *flags: str) -> list[Path]:
        """Compile sources; fails with the compiler's words."""
        return [self._object(source, flags) for source in sources]

    def library(self, sources: Sequence[Path], *flags: str) -> Path:
        """Compile sources to an archive, of which the linker takes what is used."""
        archive = self._out / f"lib{len(list(self._out.glob('*.a')))}.a"
        _run([f"{self._prefix}ar", "rcs", str(archive), *map(str, self.objects(sources, *flags))])
        return archive

    def program(self, name: str, objects: Sequence[Path], *flags: str) -> Path:
        """Link a program; libraries go last. For another machine there is no library of C++."""
        program = self._out / name
        linker = f"{self._prefix}gcc" if self._prefix else "g++"
        _run([linker, *flags, *map(str, objects), "-o", str(program)])
        return program

    def _object(self, source: Path, flags: Sequence[str]) -> Path:
        compiler, standard = _STANDARDS[source.suffix]
        made = self._out / f"{len(list(self._out.glob('*.o')))}-{source.name}.o"
        _run(
            [
                self._prefix + compiler,
                standard,
                *self._flags,
                *flags,
                "-c",
                str(source),
                "-o",
                str(made),
            ]
        )
        return made


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"


def output_of(program: Path, typed: str = "") -> str:
    """Return what a program prints, given what is typed; it must end with 0."""
    done = subprocess.run([program], input=typed, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


class ProgramLine:
    """A program's stdin and stdout in the place of a serial line."""

    name, baud = "a program", 115_200

    def __init__(self, program: Path) -> None:
        pipe = subprocess.PIPE
        self._child = subprocess.Popen([program], stdin=pipe, stdout=pipe, bufsize=0)
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._input, self._output = self._child.stdin, self._child.stdout

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._input.write(data)

    def read(self) -> bytes:
        """Return the bytes that came, perhaps none."""
        ready, _, _ = select.select([self._output], [], [], 0.02)
        return os.read(self._output.fileno(), 4096) if ready else b""

    def close(self) -> None:
        """End the program."""
        self._input.close()
        self._output.close()
        self._child.kill()
        self._child.wait()
