"""Where the shipped TOML files lie: inside the installed wheel, or beside the package.

A checkout (and an editable install) keeps ``targets/`` and ``schedules/`` at its top level, where
they are easy to read and edit; a wheel carries them as ``tvm_embbert/_data/targets`` and so on.
"""

from __future__ import annotations

from pathlib import Path

from tvm_embbert.errors import EmbBertError

PACKAGE = Path(__file__).resolve().parent
"""Folder of the package itself."""


def shipped_folder(name: str, package: Path = PACKAGE) -> Path:
    """Return the shipped folder ``name`` ("targets" or "schedules") of the package at ``package``.

    Raises
    ------
    EmbBertError
        If neither layout holds the folder: the installation is incomplete.
    """
    # The wheel's place goes first: beside an installed package lie other projects' folders.
    candidates = (package / "_data" / name, package.parent / name)
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise EmbBertError(
        f"The folder {name!r} that ships with the package is missing.",
        where=" and ".join(str(folder) for folder in candidates),
        supported="a wheel with tvm_embbert/_data, or a complete checkout",
        hint="Install the package again.",
    )


def targets_folder() -> Path:
    """Return the folder of the shipped devices; its ``cores`` subfolder holds the cores."""
    return shipped_folder("targets")


def schedules_folder() -> Path:
    """Return the folder of the shipped schedules."""
    return shipped_folder("schedules")
