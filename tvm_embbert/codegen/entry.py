"""The entry points: check what the caller gave, then call the kernels in order."""

from __future__ import annotations

from collections.abc import Mapping

from tvm_embbert.codegen.c_expression import C_TYPES
from tvm_embbert.codegen.c_printer import CFunction
from tvm_embbert.codegen.names import Names, c_name
from tvm_embbert.memory.liveness import owner
from tvm_embbert.memory.plan import POOL, MemoryPlan
from tvm_embbert.memory.program import Argument, Program, Step
from tvm_embbert.strategy.operator import Tensor

_WIDTH = 100


def print_entry(
    names: Names, program: Program, plan: MemoryPlan, functions: Mapping[str, CFunction]
) -> str:
    """Return the text of ``tvmgen_<model>.c``."""
    return _ENTRY.format(
        prefix=names.prefix,
        MACRO=names.macro,
        trim=_trim(program),
        input=c_name(program.input),
        pool=POOL,
        result=c_name(program.result),
        buffers="\n".join(_pointer(b, program, plan) for b in _arena_buffers(program)),
        steps="\n".join(_step(names, i, s, functions) for i, s in enumerate(program.steps)),
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
    offset = plan.offsets[owner(program, buffer.name)]
    return f"  {c_type} *const {name} = ({c_type} *)(void *)(memory + {offset});"


def _step(names: Names, index: int, step: Step, functions: Mapping[str, CFunction]) -> str:
    call = f"  {names.symbol(step.kernel)}("
    arguments = [_argument(names, a) for a in step.arguments]
    arguments += [str(step.dims[name]) for name in functions[step.kernel].dims]
    lines = [f"  TVMGEN_STEP({index}); /* {step.name} */", call + arguments[0]]
    for argument in arguments[1:]:
        if len(lines[-1]) + len(argument) + 3 < _WIDTH:
            lines[-1] += f", {argument}"
        else:
            lines[-1] += ","
            lines.append(f"      {argument}")
    return "\n".join(lines) + ");"


def _argument(names: Names, argument: Argument) -> str:
    if argument.kind == "constant":
        return names.symbol(str(argument.value))
    if argument.kind == "scalar" and abs(int(argument.value)) >= 2**31:
        return f"INT64_C({argument.value})"
    return c_name(argument.value) if isinstance(argument.value, str) else str(argument.value)


_ENTRY = """\
#include "{prefix}.h"

#include "{prefix}_internal.h"

/* A profiling build defines this to read a counter before each step. */
#ifndef TVMGEN_STEP
#define TVMGEN_STEP(index) ((void)0)
#endif

static int32_t check(const int32_t *ids, int32_t length, const int16_t *logits, const void *arena,
    size_t arena_size) {{
  if (ids == NULL || logits == NULL || arena == NULL) {{
    return {MACRO}_ERROR_NULL_POINTER;
  }}
  if (length < 1 || length > {MACRO}_MAX_LENGTH) {{
    return {MACRO}_ERROR_LENGTH;
  }}
  if (arena_size < {MACRO}_WORKSPACE_POOL_SIZE) {{
    return {MACRO}_ERROR_ARENA_SIZE;
  }}
  if ((uintptr_t)arena % {MACRO}_WORKSPACE_POOL_ALIGNMENT != 0) {{
    return {MACRO}_ERROR_ARENA_ALIGNMENT;
  }}
  for (int32_t i = 0; i < length; ++i) {{
    if (ids[i] < 0 || ids[i] >= {MACRO}_VOCABULARY_SIZE) {{
      return {MACRO}_ERROR_TOKEN;
    }}
  }}
  return {MACRO}_OK;
}}

static void compute(const int32_t *{input}, int32_t n, int16_t *{result}, uint8_t *memory) {{
{buffers}

{steps}
  TVMGEN_STEP({last});
}}

int32_t {prefix}_infer(const int32_t *ids, int32_t length, int16_t *logits, void *arena,
    size_t arena_size) {{
  const int32_t status = check(ids, length, logits, arena, arena_size);
  if (status != {MACRO}_OK) {{
    return status;
  }}
{trim}
  if (n == 0) {{
    return {MACRO}_ERROR_LENGTH;
  }}
  compute(ids, n, logits, (uint8_t *)arena);
  return {MACRO}_OK;
}}

int32_t {prefix}_run(struct {prefix}_inputs *inputs, struct {prefix}_outputs *outputs,
    struct {prefix}_workspace_pools *workspace_pools) {{
  if (inputs == NULL || outputs == NULL || workspace_pools == NULL) {{
    return {MACRO}_ERROR_NULL_POINTER;
  }}
  return {prefix}_infer((const int32_t *)inputs->{input}, {MACRO}_MAX_LENGTH,
      (int16_t *)outputs->output, workspace_pools->{pool}, {MACRO}_WORKSPACE_POOL_SIZE);
}}
"""
