"""What a template is: options, folders for the parts that all share, commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tvm_embbert.project.api import ProjectOption

PARTS = ("include", "source", "app", "harness", "board")
"""Parts that templates share, and that a layout gives folders to."""

TRANSPORTS = ("serial", "qemu", "board", "none")


@dataclass(frozen=True)
class Commands:
    """Commands of a verb: lists of arguments, to be rendered; what they need installed."""

    lines: tuple[tuple[str, ...], ...] = ()
    needs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Template:
    """A template.

    Attributes
    ----------
    name, summary : str
        What it is called, and makes.
    folder : Path
        Where it lies; its own files are in ``files/``.
    layout : dict of str to str
        Folders of a project for the parts of :data:`PARTS`.
    options : tuple of ProjectOption
        What can be chosen.
    build, flash : Commands
        What these verbs run.
    transport : str
        One of :data:`TRANSPORTS`.
    image : str
        Path in the project of what runs, where that is known; rendered as commands are. The
        emulator runs it.
    unit : str
        What the validation program counts: "cycles", "instructions", "ticks"; "" for what bare
        boards count.
    """

    name: str
    summary: str
    folder: Path
    layout: Mapping[str, str]
    options: tuple[ProjectOption, ...]
    build: Commands
    flash: Commands
    transport: str
    image: str = ""
    unit: str = ""
