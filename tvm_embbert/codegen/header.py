"""The public header: microTVM's AOT interface, and a checked call with a length."""

from __future__ import annotations

from dataclasses import dataclass

from tvm_embbert.codegen.metadata import input_sizes, output_sizes
from tvm_embbert.codegen.names import Names, comment, member
from tvm_embbert.codegen.pools import list_macro, parameters, size_macros
from tvm_embbert.memory.plan import ALIGNMENT, MemoryPlan, PoolPlan
from tvm_embbert.program.program import Program


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
        "sizes": size_macros(names, plan),
        "list": list_macro(names, plan.pools),
        "parameters": parameters(plan),
        "about": "\n".join(_about(names, pool) for pool in plan.pools),
        "members": "\n".join(f"  void *{pool.name};" for pool in plan.pools),
        "input": member(program.input),
        "tensors": _tensor_sizes(names, program, plan),
        "arena": plan.arena,
        "max_length": plan.length,
        "outputs": program.outputs,
        "vocabulary": interface.vocabulary,
        "alignment": ALIGNMENT,
        "scale": f"{scale:.9g}",
        "padding": _padding(program),
        "labels": "\n".join(
            f" *   {i}  {comment(label)}" for i, label in enumerate(interface.labels)
        ),
    }
    return _HEADER.format(**values)


def _tensor_sizes(names: Names, program: Program, plan: MemoryPlan) -> str:
    sizes = input_sizes(program, plan) | output_sizes(program, plan)
    return "\n".join(f"#define {names.macro}_{n.upper()}_SIZE {size}" for n, size in sizes.items())


def _about(names: Names, pool: PoolPlan) -> str:
    """Return what the header tells of a pool's parameters."""
    size = f"{names.macro}_{pool.name.upper()}_WORKSPACE_POOL_SIZE"
    width = max(11, len(pool.name) + 6)
    return (
        f" * {pool.name:<{width}} {size} bytes, aligned;\n"
        f" * {'':<{width}} contents need not be kept\n"
        f" * {pool.name + '_size':<{width}} bytes that there are"
    )


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
 * state of its own: calls with memory of their own may run at the same time.
 *
 * Logits (int16, one unit is {scale}):
{labels}
 */
#ifndef {MACRO}_H_
#define {MACRO}_H_

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
/* Bytes of each memory pool and of all, and what a pool's address must be a multiple of. */
{sizes}
#define {MACRO}_WORKSPACE_POOL_ALIGNMENT {alignment}
/* Applies a macro to the name and size of each pool, the fastest first. */
{list}

/* What the functions return. On any error nothing is written. */
enum {prefix}_status {{
  {MACRO}_OK = 0,
  {MACRO}_ERROR_NULL_POINTER = -1,
  {MACRO}_ERROR_LENGTH = -2,          /* 0, negative, over the maximum, or padding alone */
  {MACRO}_ERROR_TOKEN = -3,           /* an id outside the vocabulary */
  {MACRO}_ERROR_ARENA_SIZE = -4,      /* a pool is too small */
  {MACRO}_ERROR_ARENA_ALIGNMENT = -5  /* a pool's address is not a multiple */
}};

/* Classifies a sentence.
 *
 * ids         token ids, the first of them [CLS]; read only
 * length      how many: 1 to {MACRO}_MAX_LENGTH
 * logits      {MACRO}_NUM_OUTPUTS values are written here
{about}
 *
{padding}
 */
int32_t {prefix}_infer(const int32_t *ids, int32_t length, int16_t *logits{parameters});

/* microTVM's interface: the same for {MACRO}_MAX_LENGTH ids and pools of the sizes above.
 * Bytes of the input, of the output and of all pools: */
{tensors}
#define {MACRO}_WORKSPACE_SIZE {arena}

struct {prefix}_inputs {{
  void *{input}; /* int32_t [{MACRO}_MAX_LENGTH], padded */
}};

struct {prefix}_outputs {{
  void *output; /* int16_t [{MACRO}_NUM_OUTPUTS] */
}};

struct {prefix}_workspace_pools {{
{members}
}};

int32_t {prefix}_run(struct {prefix}_inputs *inputs, struct {prefix}_outputs *outputs,
    struct {prefix}_workspace_pools *workspace_pools);

#ifdef __cplusplus
}}
#endif

#endif /* {MACRO}_H_ */
"""
