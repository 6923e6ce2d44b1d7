"""Reading ``model.tar``: the library, and what a project tells of the model beside it."""

from __future__ import annotations

import json
import tarfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tvm_embbert.codegen.metadata import VERSION
from tvm_embbert.codegen.names import Names
from tvm_embbert.errors import InputError
from tvm_embbert.target import Target
from tvm_embbert.target_json import target_from_json

INCLUDE, SOURCE, OWN = "codegen/host/include/", "codegen/host/src/", "tvm_embbert/"
"""Folders of the archive: public headers, sources, and what the format has no place for."""


@dataclass(frozen=True)
class ModelArchive:
    """A model in Model Library Format.

    Attributes
    ----------
    path : Path
        The archive.
    files : dict of str to bytes
        Its files by their paths.
    names : Names
        The model's name and its prefix in C.
    """

    path: Path
    files: dict[str, bytes]
    names: Names

    @property
    def number(self) -> int:
        """Return a number of 32 bits that two archives that differ do not share."""
        return zlib.crc32(b"".join(name.encode() + data for name, data in self.files.items()))

    @cached_property
    def report(self) -> dict[str, Any]:
        """Return the report of the compiled model."""
        report: dict[str, Any] = self._json("report.json")
        return report

    @cached_property
    def vectors(self) -> list[dict[str, Any]]:
        """Return sentences, and what the model must answer to the byte."""
        vectors: list[dict[str, Any]] = self._json("vectors.json")["vectors"]
        return vectors

    @cached_property
    def target_fields(self) -> dict[str, Any]:
        """Return the device that the model was compiled for, as JSON has it."""
        fields: dict[str, Any] = self._json("target.json")
        return fields

    @cached_property
    def target(self) -> Target:
        """Return the device that the model was compiled for."""
        return target_from_json(self.target_fields, self.path)

    def below(self, folder: str) -> dict[str, bytes]:
        """Return the files of a folder by their paths within it."""
        return {n.removeprefix(folder): d for n, d in self.files.items() if n.startswith(folder)}

    def _json(self, name: str) -> Any:
        try:
            return json.loads(self.files[OWN + name])
        except (KeyError, ValueError) as error:
            raise InputError(
                f"The archive has no {OWN}{name} that can be read.",
                where=str(self.path),
                supported="model.tar of a model compiled by this version of tvm-embbert",
                hint="Compile the model again.",
            ) from error


def read_archive(path: Path) -> ModelArchive:
    """Read an archive.

    Parameters
    ----------
    path : Path
        ``model.tar``, or the folder of a compiled model that holds it.

    Raises
    ------
    InputError
        There is none, or it is damaged, of another version, or of several models.
    """
    file = path / "model.tar" if path.is_dir() else path
    try:
        with tarfile.open(file) as tar:
            members = [m for m in tar.getmembers() if m.isfile()]
            files = {m.name.removeprefix("./"): _bytes(tar, m) for m in members}
        metadata = json.loads(files["metadata.json"])
        version, models = metadata["version"], sorted(metadata["modules"])
    except FileNotFoundError as error:
        raise InputError(
            "There is no model.tar.",
            where=str(file),
            supported="a folder that `tvm-embbert compile` wrote, or an archive in "
            "Model Library Format",
        ) from error
    except (OSError, tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"The archive cannot be read: {error!r}", where=str(file)) from error
    return ModelArchive(file, files, Names(_only_model(file, version, models)))


def _bytes(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    return b"" if stream is None else stream.read()


def _only_model(file: Path, version: int, models: list[str]) -> str:
    if version != VERSION or len(models) != 1:
        raise InputError(
            f"The archive is of version {version}, with {len(models)} models.",
            where=f"{file}: metadata.json",
            supported=f"Model Library Format, version {VERSION}, with one model",
        )
    return models[0]
