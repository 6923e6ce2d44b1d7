"""The C sources of a compiled model, and the header that gives its names to the runtime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tvm_embbert.resources import PACKAGE

RUNTIME = PACKAGE / "runtime"
"""Folder of the C sources that run around a model."""

MODEL_GROUP = "model"
"""Folder of the model's objects within a build, by which the map file tells them apart."""

_HEADER = """\
/* Generated: the names of the model {name!r} for the harness. */
#ifndef HARNESS_MODEL_H
#define HARNESS_MODEL_H

#include "tvmgen_{name}.h"

#define MODEL_MAX_LENGTH ((uint32_t)TVMGEN_{upper}_MAX_LENGTH)
#define MODEL_NUM_OUTPUTS ((uint32_t)TVMGEN_{upper}_NUM_OUTPUTS)
#define MODEL_ARENA_SIZE TVMGEN_{upper}_WORKSPACE_POOL_SIZE
#define MODEL_POOLS(POOL) TVMGEN_{upper}_WORKSPACE_POOLS(POOL)
#define MODEL_POOL_ALIGNMENT TVMGEN_{upper}_WORKSPACE_POOL_ALIGNMENT
#define MODEL_INFER tvmgen_{name}_infer

#endif
"""


@dataclass(frozen=True)
class ModelSources:
    """A compiled model: its name, its C sources and the folder of ``tvmgen_<name>.h``."""

    name: str
    sources: tuple[Path, ...]
    include: Path


def write_model_header(model: ModelSources, folder: Path) -> None:
    """Write ``harness_model.h`` for the model into an existing folder of a build."""
    (folder / "harness_model.h").write_text(model_header(model.name), encoding="utf-8")


def model_header(name: str) -> str:
    """Return the text of ``harness_model.h`` for a model's name."""
    return _HEADER.format(name=name, upper=name.upper())
