"""Writing a project's files, and writing them again without losing what the user changed.

A file that the user changed is kept; where the template's own text changed meanwhile, that goes
beside it with ``.new`` at its name's end. The model's library is one whole: there the user's file
is set aside, with ``.old``. Files of others in the folder are not touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tvm_embbert.errors import InputError, UsageError
from tvm_embbert.folder import write_bytes
from tvm_embbert.project.manifest import MANIFEST, Manifest, digest
from tvm_embbert.project.render import Files

NEW, OLD = ".new", ".old"


@dataclass
class Changes:
    """Paths of what was written, and of what was not.

    ``kept`` are files that the user changed, ``beside`` those of them with a new text beside them,
    ``set_aside`` files of the library that the user changed.
    """

    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    set_aside: list[str] = field(default_factory=list)


def check_folder(folder: Path) -> None:
    """Raise :class:`UsageError` if a folder holds something else than a project."""
    if (folder / MANIFEST).is_file() or not folder.exists():
        return
    if not folder.is_dir() or any(folder.iterdir()):
        raise UsageError(
            "The folder exists and holds something else.",
            where=str(folder),
            supported="a new folder, an empty one, or a project to write again",
        )


def write_project(
    folder: Path, files: Files, old: Mapping[str, str], library: Sequence[str]
) -> Changes:
    """Write the files of a project.

    Parameters
    ----------
    folder : Path
        The project.
    files : dict
        What is to be there.
    old : dict of str to str
        What was written before, by :func:`digest`.
    library : sequence of str
        Folders of the model's library.

    Raises
    ------
    InputError
        A path leads out of the folder; nothing was written.
    """
    for name in (*files, *old):
        _check_inside(folder, name)
    changes = Changes()
    for name, data in sorted(files.items()):
        ours = any(name.startswith(f"{place}/") for place in library)
        _write_one(folder, name, data, old.get(name), ours, changes)
    for name in sorted(set(old) - set(files)):
        _remove_one(folder, name, old[name], changes)
    return changes


def write_manifest(folder: Path, manifest: Manifest, files: Files) -> None:
    """Write what was generated; the last thing, so that it is true."""
    hashes = {name: digest(data) for name, data in sorted(files.items())}
    Manifest(**{**vars(manifest), "files": hashes}).write(folder)


def _check_inside(folder: Path, name: str) -> None:
    path = PurePosixPath(name)
    parent = (folder / path).parent.resolve()
    if path.is_absolute() or ".." in path.parts or not parent.is_relative_to(folder.resolve()):
        raise InputError(
            "A file of the project would lie outside of its folder.",
            where=str(folder / name),
            supported="paths within the folder, with no link that leads out of it",
        )


def _write_one(
    folder: Path, name: str, data: bytes, before: str | None, ours: bool, changes: Changes
) -> None:
    path = folder / name
    found = digest(path.read_bytes()) if path.is_file() else None
    if found == digest(data):
        return
    if found is None:
        changes.added.append(name)
    elif found == before:
        changes.updated.append(name)
    elif ours:
        path.replace(path.with_name(path.name + OLD))
        changes.set_aside.append(name)
    else:
        changes.kept.append(name)
        if before == digest(data):
            return
        changes.beside.append(name)
        path = path.with_name(path.name + NEW)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, data)


def _remove_one(folder: Path, name: str, before: str, changes: Changes) -> None:
    path = folder / name
    if not path.is_file():
        return
    if digest(path.read_bytes()) == before:
        path.unlink()
        changes.removed.append(name)
    else:
        changes.kept.append(name)
