"""A target as JSON, so that a compiled model remembers the device it was made for."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from tvm_embbert.target import Core, Emulator, Memory, Region, Target
from tvm_embbert.target_serial import serial_from_json


def target_to_json(target: Target) -> dict[str, Any]:
    """Return the target's fields; the file that it came from is left out."""
    fields = asdict(target)
    del fields["source"]
    return fields


def target_from_json(fields: dict[str, Any], source: Path) -> Target:
    """Return the target that :func:`target_to_json` described."""
    core = dict(fields["core"])
    emulator = core.pop("emulator")
    core["isa"], core["flags"] = tuple(core["isa"]), tuple(core["flags"])
    made = Core(**core, emulator=_emulator(emulator) if emulator else None)
    memories = tuple(_memory(m) for m in fields["memories"])
    rebuilt = ("core", "memories", "arena", "serial")
    rest = {k: v for k, v in fields.items() if k not in rebuilt}
    arena, serial = tuple(fields.get("arena", ())), serial_from_json(fields.get("serial"))
    return Target(**rest, core=made, memories=memories, arena=arena, serial=serial, source=source)


def _memory(fields: dict[str, Any]) -> Memory:
    reach = {"reach": tuple(fields["reach"])} if "reach" in fields else {}
    return Memory(**{**fields, **reach})


def _emulator(fields: dict[str, Any]) -> Emulator:
    regions = {name: Region(**fields[name]) for name in ("vectors", "code", "data")}
    return Emulator(**{**fields, **regions})
