"""``report.json``: what a compiled model takes, with the figures of the linked image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tvm_embbert.lowering import Lowered
from tvm_embbert.measure import Image, memory_use
from tvm_embbert.measure.library_size import library_use
from tvm_embbert.memory.liveness import place_of, steps_in_use
from tvm_embbert.memory.plan import ALIGNMENT
from tvm_embbert.program.program import Program

Sizes = dict[str, int | None]
COUNT_METHOD = (
    "instructions executed, counted by the emulator's virtual clock (QEMU -icount) and read from a "
    "timer of the board before and after the call; they are not cycles"
)


@dataclass(frozen=True)
class Counts:
    """Instructions of one inference at a length, and of each of its steps."""

    length: int
    total: int
    steps: Sequence[int]


def build_report(lowered: Lowered, built: Image | Path, debug: bool = False) -> dict[str, Any]:
    """Return the report of a built model; sizes are bytes.

    Parameters
    ----------
    lowered : Lowered
        What was built.
    built : Image or Path
        The linked image, or the shared library on the host target.
    debug : bool
        Whether it was built to check itself.

    Notes
    -----
    Instructions are not measured yet; see :func:`instructions`.
    """
    return {
        "target": {
            "name": lowered.target.name,
            "description": lowered.target.description,
            "core": lowered.target.core.name,
        },
        "model": {
            "name": lowered.names.model,
            "labels": list(lowered.interface.labels),
            "vocabulary": lowered.interface.vocabulary,
            "logit_scale": lowered.program.source.logit_scale,
        },
        "max_length": lowered.plan.length,
        "debug": debug,
        "memory": _memory(lowered, built),
        "instructions": instructions(lowered, None),
        "accuracy": None,
        "schedules": lowered.schedules.as_json(),
        "steps": [
            {"name": s.name, "operator": s.operator, "rows": s.dims.get("rows", 1)}
            for s in lowered.program.steps
        ],
        "loops": [
            {"first_step": x.first, "last_step": x.last, "tile_rows": x.rows}
            for x in lowered.program.loops
        ],
        "concessions": [],
        "strategies": lowered.explain(),
    }


def _memory(lowered: Lowered, built: Image | Path) -> dict[str, Any]:
    ram, flash, source = _sizes(built, lowered)
    target, plan = lowered.target, lowered.plan
    return {
        "ram": {**ram, "total": sum(v or 0 for v in ram.values()), "budget": target.ram_in_all},
        "flash": {
            **flash,
            "total": sum(v or 0 for v in flash.values()),
            "budget": target.flash_budget,
        },
        "source": source,
        "stack": _stack(built),
        "arena_lower_bound": plan.lower_bound,
        "arena_alignment": ALIGNMENT,
        "planner": {"name": plan.planner, "optimal": plan.optimal, "bound": plan.proved_bound},
        "pools": _pools(lowered),
        "buffers": _buffers(lowered),
        "constants": _constants(lowered),
    }


def _stack(built: Image | Path) -> dict[str, Any] | None:
    """Return what the stack's size comes from; nothing on this machine."""
    if isinstance(built, Path) or built.stack_bound is None:
        return None
    bound = built.stack_bound
    path = [[function, size] for function, size in bound.path]
    return {"bound": bound.total, "infer": bound.infer, "path": path}


def _sizes(built: Image | Path, lowered: Lowered) -> tuple[Sizes, Sizes, str]:
    """Return RAM, flash and where they come from."""
    if isinstance(built, Path):
        use = library_use(built)
        ram: Sizes = {
            "arena": lowered.plan.arena,
            "stack": None,
            "static": use.static,
            "weights": 0,
        }
        weights = lowered.program.weight_bytes
        flash: Sizes = {"weights": weights, "code": use.code, "tokenizer": 0, "harness": 0}
        return ram, flash, "sections of the shared library"
    found = memory_use(built.map_file)
    used = found.ram
    ram = {
        "arena": used.arena,
        "stack": used.stack,
        "static": used.static,
        "weights": used.weights,
    }
    flash = {"weights": found.flash.weights, "code": found.flash.code, "tokenizer": 0}
    return ram, {**flash, "harness": found.flash.harness}, "map file of the linked image"


def _constants(lowered: Lowered) -> list[dict[str, Any]]:
    memory = lowered.target.weights_memory
    constants = lowered.program.constants.items()
    return [{"name": n, "size": value.nbytes, "memory": memory} for n, value in constants]


def _pools(lowered: Lowered) -> list[dict[str, Any]]:
    described = {p.name: p for p in lowered.target.pools}
    return [
        {
            "name": pool.name,
            "size": pool.size,
            "lower_bound": pool.lower_bound,
            "memory": described[pool.name].memory,
            "budget": described[pool.name].size,
            "latency": described[pool.name].latency,
        }
        for pool in lowered.plan.pools
    ]


def _buffers(lowered: Lowered) -> list[dict[str, Any]]:
    program, plan = lowered.program, lowered.plan
    places = plan.places
    rows = []
    for name, buffer in program.buffers.items():
        place, behind = place_of(program, name, plan.length)
        if place in places:
            steps = steps_in_use(program, name)
            rows.append(
                {
                    "name": name,
                    "pool": places[place][0],
                    "offset": places[place][1] + behind,
                    "size": buffer.size(plan.length),
                    "first_use": min(steps),
                    "last_use": max(steps),
                    "kind": _kind(program, name),
                    "shares": program.in_place.get(name),
                }
            )
    return rows


def _kind(program: Program, name: str) -> str:
    """Return what a buffer holds: all rows, those of a tile, or some of earlier tiles as well."""
    if any(name in step.scratch for step in program.steps):
        return "scratch"
    if name not in program.local:
        return "whole"
    return "window" if program.local[name] else "tile"


def instructions(lowered: Lowered, counts: Counts | None) -> dict[str, Any]:
    """Return the report's instructions: what was measured, or that nothing was."""
    if counts is None:
        return {
            "per_inference": None,
            "length": None,
            "per_operator": [],
            "count_method": "not measured",
        }
    steps = zip(lowered.program.steps, counts.steps, strict=True)
    return {
        "per_inference": counts.total,
        "length": counts.length,
        "per_operator": [
            {"name": s.name, "operator": s.operator, "instructions": n} for s, n in steps
        ],
        "count_method": COUNT_METHOD,
    }
