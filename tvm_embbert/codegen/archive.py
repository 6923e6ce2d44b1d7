"""The library as a tar in the layout of microTVM's Model Library Format.

The same input gives the same bytes: entries are sorted, owners and modes fixed, and the date is
SOURCE_DATE_EPOCH, or 1980-01-01 where that is not set.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tvm_embbert import compat
from tvm_embbert.codegen.library import Library
from tvm_embbert.codegen.metadata import metadata
from tvm_embbert.errors import UsageError
from tvm_embbert.memory.plan import MemoryPlan
from tvm_embbert.program.program import Program
from tvm_embbert.target import Target
from tvm_embbert.target_json import target_to_json

OWN = "tvm_embbert"
"""The folder of what Model Library Format has no place for."""
_EPOCH_1980 = 315532800


def source_date() -> int:
    """Return SOURCE_DATE_EPOCH in seconds since 1970, or the start of 1980."""
    text = os.environ.get("SOURCE_DATE_EPOCH", str(_EPOCH_1980))
    if not text.isdigit():
        raise UsageError(
            f"SOURCE_DATE_EPOCH is {text!r}.", supported="whole seconds since 1970-01-01 UTC"
        )
    return int(text)


@dataclass(frozen=True, eq=False)
class Contents:
    """What an archive is made of.

    Attributes
    ----------
    library, program, plan, target
        The compiled model.
    labels : tuple of str
        Names of the logits; empty where they have none.
    report : mapping
        ``report.json``, complete.
    vectors : mapping
        What :func:`~tvm_embbert.codegen.vectors.self_test_vectors` returned.
    """

    library: Library
    program: Program
    plan: MemoryPlan
    target: Target
    labels: tuple[str, ...]
    report: Mapping[str, Any]
    vectors: Mapping[str, Any]


def write_archive(path: Path, contents: Contents) -> None:
    """Write ``model.tar``: the format's own files, and what project generators need beside them."""
    names = contents.library.names
    about = metadata(names, contents.program, contents.plan, contents.target, source_date())
    files = {f"codegen/host/{name}": text for name, text in contents.library.files.items()}
    files[f"src/{names.model}.relax"] = contents.program.source.mod.script(show_meta=False)
    files["metadata.json"] = json.dumps(about, indent=2, sort_keys=True)
    files |= {f"{OWN}/{name}": text for name, text in _own(contents).items()}
    encoded = {name: text.encode("utf-8") for name, text in files.items()}
    # The weights are constants of the C: there are no parameters that a runtime would load.
    encoded[f"parameters/{names.model}.params"] = compat.save_parameters({})
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(_tar(encoded))
    temporary.replace(path)


def _own(contents: Contents) -> dict[str, str]:
    files = {
        "report.json": _json(contents.report),
        "target.json": _json(target_to_json(contents.target)),
        "vectors.json": json.dumps(contents.vectors) + "\n",
    }
    labels = "".join(f"{label}\n" for label in contents.labels)
    return files | ({"labels.txt": labels} if labels else {})


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2) + "\n"


def _tar(files: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(files):
            entry = tarfile.TarInfo(f"./{name}")
            entry.size, entry.mtime, entry.mode = len(files[name]), source_date(), 0o644
            tar.addfile(entry, io.BytesIO(files[name]))
    return stream.getvalue()
