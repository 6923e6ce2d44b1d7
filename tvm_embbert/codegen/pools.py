"""The memory pools in the C interface: a pointer and a size for each, as microTVM names them."""

from __future__ import annotations

from collections.abc import Sequence

from tvm_embbert.codegen.names import Names
from tvm_embbert.memory.plan import MemoryPlan, PoolPlan


def memory(pool: str) -> str:
    """Return the name of a pool's bytes within the code that computes."""
    return f"memory_{pool}"


def parameters(plan: MemoryPlan) -> str:
    """Return the parameters of all pools, to stand behind others."""
    return "".join(f",\n    void *{p.name}, size_t {p.name}_size" for p in plan.pools)


def arguments(plan: MemoryPlan) -> str:
    """Return the pools' parameters, handed on."""
    return "".join(f", {p.name}, {p.name}_size" for p in plan.pools)


def members(names: Names, plan: MemoryPlan) -> str:
    """Return the pools' parameters, taken from microTVM's struct."""
    return "".join(f",\n      workspace_pools->{p.name}, {_size(names, p)}" for p in plan.pools)


def checks(names: Names, plan: MemoryPlan) -> str:
    """Return the statements that check what the caller gave for each pool."""
    return "\n".join(
        _CHECK.format(pool=p.name, MACRO=names.macro, size=_size(names, p)) for p in plan.pools
    )


def size_macros(names: Names, plan: MemoryPlan) -> str:
    """Return the macros that tell the size of each pool and of all, and list the pools."""
    each = [f"#define {_size(names, p)} {p.size}" for p in plan.pools]
    total = " + ".join(_size(names, p) for p in plan.pools)
    total = f"\\\n  ({total})" if len(plan.pools) > 1 else total
    return "\n".join([*each, f"#define {names.macro}_WORKSPACE_POOL_SIZE {total}"])


def list_macro(names: Names, pools: Sequence[PoolPlan]) -> str:
    """Return the macro that applies another to each pool."""
    items = [f"  POOL({p.name}, {_size(names, p)})" for p in pools]
    return " \\\n".join([f"#define {names.macro}_WORKSPACE_POOLS(POOL)", *items])


def _size(names: Names, pool: PoolPlan) -> str:
    return f"{names.macro}_{pool.name.upper()}_WORKSPACE_POOL_SIZE"


_CHECK = """\
  if ({pool} == NULL) {{
    return {MACRO}_ERROR_NULL_POINTER;
  }}
  if ({pool}_size < {size}) {{
    return {MACRO}_ERROR_ARENA_SIZE;
  }}
  if ((uintptr_t){pool} % {MACRO}_WORKSPACE_POOL_ALIGNMENT != 0) {{
    return {MACRO}_ERROR_ARENA_ALIGNMENT;
  }}"""
