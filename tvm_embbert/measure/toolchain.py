"""Finding and running C compilers.

Every compilation runs inside the folder of its build and sees paths mapped to fixed ones, so the
same sources and flags give the same bytes wherever they lie.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tvm_embbert import children
from tvm_embbert.errors import ToolchainError

WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Werror")
"""Warnings that all C, generated or written, is free of."""

COMMON_FLAGS = ("-O2", "-std=c99", "-ffunction-sections", "-fdata-sections", "-fno-common")
"""Flags of every compilation."""

COMPILE_TIMEOUT_S = 600.0
"""Seconds that one compiler run may take."""

_SHOWN_LINES = 20

_C_LIBRARIES = {
    "nano.specs": "libnewlib-arm-none-eabi",
    "picolibc.specs": "picolibc-riscv64-unknown-elf",
}
"""Debian's packages of C libraries, by the file that tells GCC of the library."""


@dataclass(frozen=True)
class Compiler:
    """A C compiler: the program's path, the flags that choose the core, how long it may take."""

    program: str
    flags: tuple[str, ...] = ()
    timeout_s: float = COMPILE_TIMEOUT_S


def find_program(name: str, install: str) -> str:
    """Return the path of a program; raise :class:`ToolchainError` that says how to get it."""
    path = shutil.which(name)
    if path is None:
        raise ToolchainError(
            f"The program {name!r} is not installed.", where="PATH", hint=f"Install {install}."
        )
    return path


def host_compiler(flags: Sequence[str] = ()) -> Compiler:
    """Return this machine's C compiler; raise :class:`ToolchainError` if there is none."""
    for name in ("cc", "gcc"):
        if shutil.which(name):
            return Compiler(find_program(name, name), tuple(flags))
    return Compiler(find_program("clang", "a C compiler (cc, gcc or clang)"), tuple(flags))


def compile_sources(
    compiler: Compiler,
    sources: Sequence[Path],
    build: Path,
    group: str,
    flags: Sequence[str],
) -> list[str]:
    """Compile each source to ``<group>/<number>_<stem>.o`` in the folder ``build``.

    Parameters
    ----------
    flags
        Flags beside :data:`COMMON_FLAGS`, :data:`WARNINGS` and the compiler's own.

    Returns
    -------
    The objects' paths relative to ``build``, in the order of the sources.

    Raises
    ------
    ToolchainError
        If the compiler refuses a source; the error holds the first lines of its output.
    """
    (build / group).mkdir()
    objects = [f"{group}/{number:03d}_{path.stem}.o" for number, path in enumerate(sources)]

    def compile_one(source: Path, target: str) -> None:
        mapped = _prefix_maps((source.parent.resolve(), group), (build.resolve(), "."))
        command = [compiler.program, *compiler.flags, *COMMON_FLAGS, *WARNINGS, *mapped, *flags]
        line = [*command, "-c", str(source.resolve()), "-o", target]
        run(line, build, f"compile {source}", compiler.timeout_s)

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        list(pool.map(compile_one, sources, objects))
    return objects


def link(compiler: Compiler, objects: Sequence[str], build: Path, flags: Sequence[str]) -> None:
    """Link objects inside ``build``; ``flags`` name the output. Raise :class:`ToolchainError`."""
    command = [compiler.program, *compiler.flags, *flags, "-Wl,--build-id=none", *objects]
    run(command, build, "link the model")


def run(
    command: Sequence[str], folder: Path, task: str, timeout_s: float = COMPILE_TIMEOUT_S
) -> str:
    """Run a program of the toolchain in a folder and return what it printed.

    Raises
    ------
    ToolchainError
        If it cannot be started, fails or takes longer than `timeout_s`.
    """
    try:
        code, out, errors = _output(command, folder, timeout_s)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolchainError(f"Could not {task}: {error}", where=command[0]) from error
    if code != 0:
        raise _failure(command, task, errors or out)
    return out


def _output(command: Sequence[str], folder: Path, timeout_s: float) -> tuple[int, str, str]:
    """Return the exit status and what was printed; leave no process behind, whatever happens."""
    # Messages in English, whatever the user's language: the errors quote them.
    # Temporary files in the build's folder, which is cleared whatever becomes of the compiler.
    environment = {**os.environ, "LC_ALL": "C", "TMPDIR": str(folder)}
    with children.running(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        out, errors = process.communicate(timeout=timeout_s)
    return process.returncode, out, errors


def _failure(command: Sequence[str], task: str, output: str) -> ToolchainError:
    lines = output.strip().splitlines()
    shown = "\n".join(["", *(f"    {line}" for line in lines[:_SHOWN_LINES])])
    hint = "Check that the compiler is complete and supports the core's flags."
    if any(specs in output for specs in _C_LIBRARIES) or "cannot find -l" in output:
        hint = f"Install {_c_library(command)}."
    return ToolchainError(
        f"{Path(command[0]).name} could not {task}:{shown}", where=" ".join(command), hint=hint
    )


def _c_library(command: Sequence[str]) -> str:
    packages = [name for specs, name in _C_LIBRARIES.items() if f"--specs={specs}" in command]
    return " and ".join(packages) or "the compiler's C library"


def _prefix_maps(*pairs: tuple[Path, str]) -> Iterable[str]:
    return [f"-ffile-prefix-map={folder}={name}" for folder, name in pairs]
