"""Several models in one image, so that a board is flashed once for all of them.

They are candidates for the same work: they take the same ids and give as many logits. Their memory
pools share one place, as only one of them runs at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tvm_embbert.errors import UsageError
from tvm_embbert.measure.sources import ModelSources

CANDIDATES_SOURCE = "harness_candidates.c"
"""The generated source that runs the chosen one."""

_HEADER = """\
/* Generated: the candidates of an image for the harness. */
#ifndef HARNESS_MODEL_H
#define HARNESS_MODEL_H

{includes}
#include <stddef.h>
#include <stdint.h>
{checks}
#define MODEL_CANDIDATES {count}u
#define MODEL_MAX_LENGTH ((uint32_t)TVMGEN_{first}_MAX_LENGTH)
#define MODEL_NUM_OUTPUTS ((uint32_t)TVMGEN_{first}_NUM_OUTPUTS)

{macros}
/* The pools of all candidates, in the same place. */
union harness_arenas {{
{members}}};

#define MODEL_ARENA_SIZE sizeof(union harness_arenas)
#define MODEL_POOLS(POOL) POOL(candidates, sizeof(union harness_arenas))
#define MODEL_POOL_ALIGNMENT __alignof__(union harness_arenas)
#define MODEL_INFER harness_infer

/* The one that runs, 0 to MODEL_CANDIDATES - 1. */
extern uint32_t harness_candidate;

int32_t harness_infer(const int32_t *ids, int32_t length, int16_t *logits, void *memory,
                      size_t size);

#endif
"""

_CHECK = """\
#if TVMGEN_{other}_MAX_LENGTH != TVMGEN_{first}_MAX_LENGTH || \\
    TVMGEN_{other}_NUM_OUTPUTS != TVMGEN_{first}_NUM_OUTPUTS
#error "all candidates of an image take the same length and have as many outputs"
#endif
"""

_MACROS = """\
#define HARNESS_MEMBER_{index}(pool, size) \\
  uint8_t pool[size] __attribute__((aligned(TVMGEN_{upper}_WORKSPACE_POOL_ALIGNMENT)));
#define HARNESS_ARGUMENT_{index}(pool, size) , arenas->candidate_{index}.pool, (size_t)(size)
"""

_MEMBER = """\
  struct {{
    TVMGEN_{upper}_WORKSPACE_POOLS(HARNESS_MEMBER_{index})
  }} candidate_{index};
"""

_SOURCE = """\
/* Generated: runs the candidate that was chosen. */
#include "harness_model.h"

uint32_t harness_candidate;

int32_t harness_infer(const int32_t *ids, int32_t length, int16_t *logits, void *memory,
                      size_t size) {{
  union harness_arenas *const arenas = memory;
  (void)size;
  switch (harness_candidate) {{
{cases}  default:
    return INT32_MIN;
  }}
}}
"""

_CASE = """\
  case {index}u:
    return tvmgen_{name}_infer(ids, length,
                               logits TVMGEN_{upper}_WORKSPACE_POOLS(HARNESS_ARGUMENT_{index}));
"""


def write_candidates(models: Sequence[ModelSources], folder: Path) -> Path:
    """Write ``harness_model.h`` and :data:`CANDIDATES_SOURCE` into an existing folder of a build.

    Parameters
    ----------
    models
        Two or more.

    Returns
    -------
    The path of the source.

    Raises
    ------
    UsageError
        If two of them have the same name, and so the same symbols.
    """
    names = [model.name for model in models]
    if len(set(names)) < len(names):
        raise UsageError(
            f"Two candidates have the same name: {', '.join(names)}.",
            where="candidates of an image",
            supported="a name of its own for each, of which its symbols are made",
            hint="Build their libraries with other names.",
        )
    (folder / "harness_model.h").write_text(_header(names), encoding="utf-8")
    cases = _each(_CASE, names)
    source = folder / CANDIDATES_SOURCE
    source.write_text(_SOURCE.format(cases=cases), encoding="utf-8")
    return source


def _header(names: Sequence[str]) -> str:
    first = names[0].upper()
    return _HEADER.format(
        includes="".join(f'#include "tvmgen_{name}.h"\n' for name in names),
        checks="".join(_CHECK.format(first=first, other=name.upper()) for name in names[1:]),
        macros=_each(_MACROS, names),
        members=_each(_MEMBER, names),
        count=len(names),
        first=first,
    )


def _each(template: str, names: Sequence[str]) -> str:
    filled = (
        template.format(index=i, name=name, upper=name.upper()) for i, name in enumerate(names)
    )
    return "".join(filled)
