"""What was generated into a project: the file that tells a user's changes from ours."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tvm_embbert.errors import InputError
from tvm_embbert.folder import write_text

MANIFEST = "tvm_embbert_project.json"
VERSION = 1


@dataclass(frozen=True)
class Manifest:
    """What a project was made of.

    Attributes
    ----------
    template : str
        The template's name, or its path where it is no shipped one.
    options : dict
        Values of the options that it was generated with.
    model : str
        The model's name.
    compiled : str
        Folder of the compiled model, which `validate` compares with; "" where it is not known.
    files : dict of str to str
        SHA-256 of each generated file by its path.
    """

    template: str
    options: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""
    compiled: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    version: int = VERSION

    def write(self, folder: Path) -> None:
        """Write it into a project."""
        write_text(folder / MANIFEST, json.dumps(asdict(self), indent=2, sort_keys=True) + "\n")


def read_manifest(folder: Path) -> Manifest:
    """Read a project's manifest; raise :class:`InputError` if there is none that can be read."""
    path = folder / MANIFEST
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if fields["version"] != VERSION:
            raise ValueError(f"version {fields['version']}")
        return Manifest(**fields)
    except FileNotFoundError as error:
        raise InputError(
            "The folder holds no project.",
            where=str(folder),
            supported="a folder that `tvm-embbert project create` wrote",
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"The project's description cannot be read: {error}",
            where=str(path),
            supported=f"version {VERSION}",
            hint="Create the project again in a new folder.",
        ) from error


def digest(data: bytes) -> str:
    """Return what the manifest tells files apart by."""
    return hashlib.sha256(data).hexdigest()
