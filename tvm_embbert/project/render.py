"""The files of a project: a template's own, rendered, and the parts that templates share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from tvm_embbert.errors import InputError
from tvm_embbert.measure.sources import RUNTIME, model_header
from tvm_embbert.project.archive import INCLUDE, SOURCE, ModelArchive
from tvm_embbert.project.template import Template
from tvm_embbert.project.template_file import SHIPPED

COMMON = SHIPPED / "common"
ENDING = ".j2"
NAME = "__name__"
"""Stands for the model's name in paths of a template."""

HARNESS = ("harness.c", "harness_arena.c", "harness_link.c", "port_uart.c")
"""Sources of the harness that run anywhere; their headers go beside them."""

BOARD = ("harness_memory.c", "harness_profile.c", "uart_16550.c", "uart_cmsdk.c")
"""Sources of the runtime for bare boards, beside the architecture's own."""

Files = dict[str, bytes]
"""Contents by path within the project."""


def project_files(template: Template, archive: ModelArchive, values: Mapping[str, Any]) -> Files:
    """Return all files of a project.

    Raises
    ------
    InputError
        A file of the template cannot be rendered.
    """
    renderer = Renderer(template.folder, values)
    parts = {
        "include": lambda: archive.below(INCLUDE),
        "source": lambda: archive.below(SOURCE),
        "app": lambda: renderer.folder(COMMON / "app"),
        "harness": lambda: harness_files(archive),
        "board": lambda: board_files(archive),
    }
    files: Files = {}
    for part, folder in template.layout.items():
        files |= {f"{folder}/{name}": data for name, data in parts[part]().items()}
    return {**files, **renderer.folder(template.folder / "files")}


def harness_files(archive: ModelArchive) -> Files:
    """Return what answers the host over a serial line, with the names of the model."""
    headers = sorted((RUNTIME / "include").glob("harness_*.h"))
    files = {p.name: p.read_bytes() for p in [*headers, *(RUNTIME / name for name in HARNESS)]}
    return {**files, "harness_model.h": model_header(archive.names.model).encode()}


def board_files(archive: ModelArchive) -> Files:
    """Return the start of a bare board: vectors, faults, counters, UARTs."""
    own = RUNTIME / ("riscv" if "riscv" in archive.target.core.toolchain else "arm")
    paths = [*sorted(own.iterdir()), *(RUNTIME / name for name in BOARD)]
    return {path.name: path.read_bytes() for path in paths}


class Renderer:
    """Renders templates with values; what is not defined is an error.

    Parameters
    ----------
    folder : Path
        The template's folder, from which its files may include others.
    values : mapping
        What its expressions name.
    """

    def __init__(self, folder: Path, values: Mapping[str, Any]) -> None:
        loader = jinja2.FileSystemLoader([folder / "files", folder, COMMON])
        self._environment = jinja2.Environment(
            loader=loader,
            undefined=jinja2.StrictUndefined,
            keep_trailing_newline=True,
        )
        self._environment.filters["c_string"] = c_string
        self._values = dict(values)

    def folder(self, folder: Path) -> Files:
        """Return the files below a folder, rendered where their names end with ``.j2``."""
        files: Files = {}
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            name = path.relative_to(folder).as_posix().replace(NAME, self._values["name"])
            if not name.endswith(ENDING):
                files[name] = path.read_bytes()
            elif text := self._file(path):
                files[name.removesuffix(ENDING)] = text.encode()
        return files

    def text(self, text: str, where: str) -> str:
        """Return a rendered text; `where` names it in errors."""
        try:
            return self._environment.from_string(text).render(self._values)
        except jinja2.TemplateError as error:
            raise _unrendered(where, error) from error

    def _file(self, path: Path) -> str:
        text = self.text(path.read_text(encoding="utf-8"), str(path))
        return text if text.strip() else ""


def c_string(text: str) -> str:
    """Return a string literal of C, in ASCII."""
    quoted = json.dumps(text.encode("utf-8").decode("latin-1"))
    # JSON writes other bytes as \\u00XX, which C takes as octal digits alone end on their own.
    parts = quoted.split("\\u00")
    return parts[0] + "".join(f"\\{int(p[:2], 16):03o}{p[2:]}" for p in parts[1:])


def _unrendered(where: str, error: jinja2.TemplateError) -> InputError:
    line = getattr(error, "lineno", None)
    return InputError(
        f"A file of the template cannot be rendered: {error}",
        where=f"{where}, line {line}" if line else where,
        hint="Compare the names with those that docs/projects.md lists.",
    )
