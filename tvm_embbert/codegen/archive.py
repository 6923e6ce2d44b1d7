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
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tvm_embbert.codegen.library import Library
from tvm_embbert.errors import UsageError
from tvm_embbert.memory.plan import MemoryPlan
from tvm_embbert.program.program import Program

VERSION = 7
_EPOCH_1980 = 315532800


def source_date() -> int:
    """Return SOURCE_DATE_EPOCH in seconds since 1970, or the start of 1980."""
    text = os.environ.get("SOURCE_DATE_EPOCH", str(_EPOCH_1980))
    if not text.isdigit():
        raise UsageError(
            f"SOURCE_DATE_EPOCH is {text!r}.", supported="whole seconds since 1970-01-01 UTC"
        )
    return int(text)


def write_archive(
    path: Path, library: Library, program: Program, plan: MemoryPlan, target: str
) -> None:
    """Write ``model.tar``."""
    files = {f"codegen/host/{name}": text for name, text in library.files.items()}
    files["src/relax.txt"] = program.source.mod.script(show_meta=False)
    files["metadata.json"] = json.dumps(_metadata(library, program, plan, target), indent=2)
    encoded = {name: text.encode("utf-8") for name, text in files.items()}
    encoded[f"parameters/{library.names.model}.params"] = b""
    path.write_bytes(_tar(encoded))


def _metadata(library: Library, program: Program, plan: MemoryPlan, target: str) -> dict[str, Any]:
    model = library.names.model
    written = datetime.fromtimestamp(source_date(), UTC)
    memory = {
        "functions": {
            "main": [
                {
                    "device": 1,
                    "io_size_bytes": _io_size(program, plan),
                    "workspace_size_bytes": plan.arena,
                    "constants_size_bytes": program.weight_bytes,
                }
            ],
            "operator_functions": [
                {"function_name": library.names.symbol(name)} for name in program.kernels
            ],
        },
        "pools": [{"pool_name": p.name, "size_bytes": p.size} for p in plan.pools],
    }
    return {
        "version": VERSION,
        "modules": {
            model: {
                "model_name": model,
                "export_datetime": written.strftime("%Y-%m-%d %H:%M:%SZ"),
                "executors": ["aot"],
                "target": [target],
                "memory": memory,
                "external_dependencies": [],
                "style": "full-model",
            }
        },
    }


def _io_size(program: Program, plan: MemoryPlan) -> int:
    names = (program.input, program.result)
    return sum(program.buffers[name].size(plan.length) for name in names)


def _tar(files: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(files):
            entry = tarfile.TarInfo(f"./{name}")
            entry.size, entry.mtime, entry.mode = len(files[name]), source_date(), 0o644
            tar.addfile(entry, io.BytesIO(files[name]))
    return stream.getvalue()
