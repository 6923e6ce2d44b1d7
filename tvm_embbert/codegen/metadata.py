"""The archive's ``metadata.json``: Model Library Format, version 7, as TVM 0.18's readers take it.

``model_library_format.schema.json`` beside this file describes every field.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tvm_embbert.codegen.names import Names, member
from tvm_embbert.memory.plan import MemoryPlan
from tvm_embbert.program.program import Program
from tvm_embbert.target import Core, Target

VERSION = 7
OUTPUT = "output"
"""Name of the only output, as in microTVM."""
_CPU = 1
"""DLPack's number of the device that runs the model."""


def metadata(
    names: Names, program: Program, plan: MemoryPlan, target: Target, written: int
) -> dict[str, Any]:
    """Return the contents of ``metadata.json``.

    Parameters
    ----------
    written : int
        Seconds since 1970, for the date.
    """
    date = datetime.fromtimestamp(written, UTC)
    module = {
        "model_name": names.model,
        "export_datetime": date.strftime("%Y-%m-%d %H:%M:%SZ"),
        "executors": ["aot"],
        "target": [target_string(target)],
        "memory": _memory(names, program, plan),
        "external_dependencies": [],
        "style": "full-model",
    }
    return {"version": VERSION, "modules": {names.model: module}}


def target_string(target: Target) -> str:
    """Return the device as TVM 0.18 prints a target that it generates C for."""
    arm = target.core.toolchain.startswith("arm")
    chosen = {name: _flag(target.core, name) for name in ("march", "mcpu")}
    options = [f"-{name}={value}" for name, value in chosen.items() if value]
    keys = "arm_cpu,cpu" if arm else "cpu"
    return " ".join(["c", f"-keys={keys}", *options, f"-model={target.name}"])


def _flag(core: Core, name: str) -> str:
    """Return the value of a flag of the core's compiler, or the empty string."""
    start = f"-{name}="
    return next((flag.removeprefix(start) for flag in core.flags if flag.startswith(start)), "")


def _memory(names: Names, program: Program, plan: MemoryPlan) -> dict[str, Any]:
    scratch = {kernel: _scratch(program, plan, kernel) for kernel in program.kernels}
    operators = [
        {
            "function_name": names.symbol(kernel),
            "workspace": [{"device": _CPU, "workspace_size_bytes": size}],
        }
        for kernel, size in scratch.items()
    ]
    pools = [{"pool_name": pool.name, "size_bytes": pool.size} for pool in plan.pools]
    functions = {"main": [_main(program, plan)], "operator_functions": operators}
    return {"functions": functions, "pools": pools}


def _main(program: Program, plan: MemoryPlan) -> dict[str, Any]:
    """Return what the entry point takes: all pools, what lies in them for the kernels included."""
    inputs, outputs = input_sizes(program, plan), output_sizes(program, plan)
    return {
        "device": _CPU,
        "workspace_size_bytes": plan.arena,
        "constants_size_bytes": program.weight_bytes,
        "io_size_bytes": sum(inputs.values()) + sum(outputs.values()),
        "inputs": _tensors(inputs, program.buffers[program.input].dtype),
        "outputs": _tensors(outputs, program.buffers[program.result].dtype),
    }


def input_sizes(program: Program, plan: MemoryPlan) -> dict[str, int]:
    """Return the bytes of each input at the greatest length, by its name in C."""
    return {member(program.input): program.buffers[program.input].size(plan.length)}


def output_sizes(program: Program, plan: MemoryPlan) -> dict[str, int]:
    """Return the bytes of each output, by its name in C."""
    return {OUTPUT: program.buffers[program.result].size(plan.length)}


def _tensors(sizes: Mapping[str, int], dtype: str) -> dict[str, dict[str, Any]]:
    return {name: {"dtype": dtype, "size": size} for name, size in sizes.items()}


def _scratch(program: Program, plan: MemoryPlan, kernel: str) -> int:
    """Return the bytes of the pools that a kernel takes beside its arguments, at the most."""
    sizes = {block.name: block.size for block in plan.blocks}
    steps = (step for step in program.steps if step.kernel == kernel)
    return max((sum(sizes[name] for name in step.scratch) for step in steps), default=0)
