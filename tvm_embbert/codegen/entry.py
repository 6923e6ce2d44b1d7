"""The entry points: check what the caller gave, then call the kernels in order."""

from __future__ import annotations

from collections.abc import Mapping

from tvm_embbert.codegen.c_expression import C_TYPES
from tvm_embbert.codegen.c_printer import CFunction
from tvm_embbert.codegen.names import Names, c_name, member
from tvm_embbert.codegen.pools import arguments, checks, members, memory, parameters
from tvm_embbert.codegen.schedule import print_schedule
from tvm_embbert.memory.liveness import place_of
from tvm_embbert.memory.plan import MemoryPlan
from tvm_embbert.program.program import Program
from tvm_embbert.strategy.operator import Tensor


def print_entry(
    names: Names, program: Program, plan: MemoryPlan, functions: Mapping[str, CFunction]
) -> str:
    """Return the text of ``tvmgen_<model>.c``."""
    memories = "".join(f", uint8_t *{memory(pool.name)}" for pool in plan.pools)
    return _ENTRY.format(
        prefix=names.prefix,
        MACRO=names.macro,
        moves="#include <string.h>\n" if any(program.local.values()) else "",
        trim=_trim(program),
        input=c_name(program.input),
        member=member(program.input),
        result=c_name(program.result),
        parameters=parameters(plan),
        arguments=arguments(plan),
        checks=checks(names, plan),
        memories=memories,
        passed="".join(f", (uint8_t *){pool.name}" for pool in plan.pools),
        members=members(names, plan),
        buffers="\n".join(_pointer(b, program, plan) for b in _arena_buffers(program)),
        steps=print_schedule(names, program, functions),
        last=len(program.steps),
    )


def _trim(program: Program) -> str:
    pad = program.source.pad_token
    if pad is None:
        return "  const int32_t n = length;"
    return f"  int32_t n = length;\n  while (n > 0 && ids[n - 1] == {pad}) {{\n    --n;\n  }}"


def _arena_buffers(program: Program) -> list[Tensor]:
    external = (program.input, program.result)
    used = dict.fromkeys(name for step in program.steps for name in step.buffers)
    return [program.buffers[name] for name in used if name not in external]


def _pointer(buffer: Tensor, program: Program, plan: MemoryPlan) -> str:
    c_type, name = C_TYPES[buffer.dtype], c_name(buffer.name)
    own, behind = place_of(program, buffer.name, plan.length)
    pool, offset = plan.places[own]
    return f"  {c_type} *const {name} = ({c_type} *)(void *)({memory(pool)} + {offset + behind});"


_ENTRY = """\
#include "{prefix}.h"

{moves}#include "tvm_embbert_arithmetic.h"
#include "{prefix}_internal.h"

/* A profiling build defines this to read a counter before each step. */
#ifndef TVMGEN_STEP
#define TVMGEN_STEP(index) ((void)0)
#endif

static int32_t check(const int32_t *ids, int32_t length, const int16_t *logits{parameters}) {{
  if (ids == NULL || logits == NULL) {{
    return {MACRO}_ERROR_NULL_POINTER;
  }}
  if (length < 1 || length > {MACRO}_MAX_LENGTH) {{
    return {MACRO}_ERROR_LENGTH;
  }}
{checks}
  for (int32_t i = 0; i < length; ++i) {{
    if (ids[i] < 0 || ids[i] >= {MACRO}_VOCABULARY_SIZE) {{
      return {MACRO}_ERROR_TOKEN;
    }}
  }}
  return {MACRO}_OK;
}}

static void compute(const int32_t *{input}, int32_t n, int16_t *{result}{memories}) {{
{buffers}

{steps}
  TVMGEN_STEP({last});
}}

int32_t {prefix}_infer(const int32_t *ids, int32_t length, int16_t *logits{parameters}) {{
  const int32_t status = check(ids, length, logits{arguments});
  if (status != {MACRO}_OK) {{
    return status;
  }}
{trim}
  if (n == 0) {{
    return {MACRO}_ERROR_LENGTH;
  }}
  compute(ids, n, logits{passed});
  return {MACRO}_OK;
}}

int32_t {prefix}_run(struct {prefix}_inputs *inputs, struct {prefix}_outputs *outputs,
    struct {prefix}_workspace_pools *workspace_pools) {{
  if (inputs == NULL || outputs == NULL || workspace_pools == NULL) {{
    return {MACRO}_ERROR_NULL_POINTER;
  }}
  return {prefix}_infer((const int32_t *)inputs->{member}, {MACRO}_MAX_LENGTH,
      (int16_t *)outputs->output{members});
}}
"""
