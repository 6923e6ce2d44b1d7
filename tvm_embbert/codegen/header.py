"""The public header: microTVM's AOT interface, and a checked call with a length."""

from __future__ import annotations

from dataclasses import dataclass

from tvm_embbert.codegen.names import Names, c_name, comment
from tvm_embbert.memory.plan import ALIGNMENT, POOL, MemoryPlan
from tvm_embbert.memory.program import Program


@dataclass(frozen=True)
class Interface:
    """What the header tells.

    Attributes
    ----------
    labels : tuple of str
        Names of the logits, in order.
    vocabulary : int
        Token ids are 0 to ``vocabulary - 1``.
    """

    labels: tuple[str, ...]
    vocabulary: int


def print_header(names: Names, program: Program, plan: MemoryPlan, interface: Interface) -> str:
    """Return the text of ``tvmgen_<model>.h``."""
    scale = program.source.logit_scale
    values = {
        "prefix": names.prefix,
        "MACRO": names.macro,
        "POOL": POOL.upper(),
        "pool": POOL,
        "input": c_name(program.input),
        "max_length": plan.length,
        "outputs": program.outputs,
        "vocabulary": interface.vocabulary,
        "arena": plan.arena,
        "alignment": ALIGNMENT,
        "scale": f"{scale:.9g}",
        "padding": _padding(program),
        "labels": "\n".join(
            f" *   {i}  {comment(label)}" for i, label in enumerate(interface.labels)
        ),
    }
    return _HEADER.format(**values)


def _padding(program: Program) -> str:
    pad = program.source.pad_token
    if pad is None:
        return " * Every id counts: this model has no padding that could be left out."
    return (
        f" * Trailing ids of {pad} are padding: they are not computed, and do not change a byte\n"
        " * of the result."
    )


_HEADER = """\
/* A text classifier in 8-bit integers, compiled by tvm_embbert. C99; no heap, no floating point, no
 * state of its own: calls with arenas of their own may run at the same time.
 *
 * Logits (int16, one unit is {scale}):
{labels}
 */
#ifndef {MACRO}_H
#define {MACRO}_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

/* Longest input, in tokens. */
#define {MACRO}_MAX_LENGTH {max_length}
/* Number of logits. */
#define {MACRO}_NUM_OUTPUTS {outputs}
/* Token ids are 0 to this value less 1. */
#define {MACRO}_VOCABULARY_SIZE {vocabulary}
/* Bytes of the arena, and what its address must be a multiple of. */
#define {MACRO}_{POOL}_WORKSPACE_POOL_SIZE {arena}
#define {MACRO}_WORKSPACE_POOL_SIZE {MACRO}_{POOL}_WORKSPACE_POOL_SIZE
#define {MACRO}_WORKSPACE_POOL_ALIGNMENT {alignment}

/* What the functions return. On any error nothing is written. */
enum {prefix}_status {{
  {MACRO}_OK = 0,
  {MACRO}_ERROR_NULL_POINTER = -1,
  {MACRO}_ERROR_LENGTH = -2,          /* 0, negative, over the maximum, or padding alone */
  {MACRO}_ERROR_TOKEN = -3,           /* an id outside the vocabulary */
  {MACRO}_ERROR_ARENA_SIZE = -4,      /* the arena is too small */
  {MACRO}_ERROR_ARENA_ALIGNMENT = -5  /* the arena's address is not a multiple */
}};

/* Classifies a sentence.
 *
 * ids         token ids, the first of them [CLS]; read only
 * length      how many: 1 to {MACRO}_MAX_LENGTH
 * logits      {MACRO}_NUM_OUTPUTS values are written here
 * arena       {MACRO}_WORKSPACE_POOL_SIZE bytes, aligned; contents need not be kept
 * arena_size  bytes that there are
 *
{padding}
 */
int32_t {prefix}_infer(const int32_t *ids, int32_t length, int16_t *logits, void *arena,
    size_t arena_size);

/* microTVM's interface: the same for {MACRO}_MAX_LENGTH ids and an arena of
 * {MACRO}_WORKSPACE_POOL_SIZE bytes. */
struct {prefix}_inputs {{
  void *{input}; /* int32_t [{MACRO}_MAX_LENGTH], padded */
}};

struct {prefix}_outputs {{
  void *output; /* int16_t [{MACRO}_NUM_OUTPUTS] */
}};

struct {prefix}_workspace_pools {{
  void *{pool};
}};

int32_t {prefix}_run(struct {prefix}_inputs *inputs, struct {prefix}_outputs *outputs,
    struct {prefix}_workspace_pools *workspace_pools);

#ifdef __cplusplus
}}
#endif

#endif
"""
