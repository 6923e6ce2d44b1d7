"""Reading devices and cores from TOML files.

A device file names a core; the core's file lies in ``cores/`` beside the device's file or in the
shipped folder. Devices are found by name in the shipped folder, in the folders given to the call,
in those named by the environment variable ``TVM_EMBBERT_TARGETS`` and in those of installed
packages with an entry point of the group ``tvm_embbert.targets``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from tvm_embbert.errors import TargetError
from tvm_embbert.extensions import load_entry_point
from tvm_embbert.resources import targets_folder
from tvm_embbert.target import Core, Emulator, Memory, Region, Target
from tvm_embbert.target_checks import nearest, require_text
from tvm_embbert.target_emulator import INSTRUCTION_HZ
from tvm_embbert.target_memory import arena_pools, largest_memory
from tvm_embbert.target_serial import read_serial
from tvm_embbert.toml_table import Table, open_table

ENVIRONMENT = "TVM_EMBBERT_TARGETS"
"""Environment variable with further folders, separated as in PATH."""

GROUP = "tvm_embbert.targets"
"""Entry point group; each entry point resolves to the path of a folder."""


def load_target(name_or_path: str | Path, search: Sequence[Path] = ()) -> Target:
    """Return the device with that name, or the one described in that ``.toml`` file.

    Raises
    ------
    TargetError
        If the name is unknown or ambiguous, or the file is missing or wrong.
    """
    if str(name_or_path).endswith(".toml"):
        return _read_device(Path(name_or_path))
    name = str(name_or_path)
    files = _device_files(search)
    found = [path for path in files if path.stem == name]
    if not found:
        known = sorted({path.stem for path in files})
        raise TargetError(
            f"Target {name!r} is unknown.",
            where=", ".join(str(folder) for folder in _folders(search)),
            supported=f"{', '.join(known)}, or the path of a .toml file",
            hint=nearest(name, known) or f"Describe it in {name}.toml and give that path.",
        )
    _require_unique(found)
    return _read_device(found[0])


def list_targets(search: Sequence[Path] = ()) -> list[Target]:
    """Return all devices that :func:`load_target` finds by name, sorted by name."""
    files = sorted(_device_files(search), key=lambda path: path.stem)
    for path in files:
        _require_unique([other for other in files if other.stem == path.stem])
    return [_read_device(path) for path in files]


def _require_unique(found: Sequence[Path]) -> None:
    # Choosing one silently would compile for another device than the user has in mind.
    if len(found) > 1:
        raise TargetError(
            f"Target {found[0].stem!r} is described in {len(found)} files.",
            where=", ".join(str(path) for path in found),
            supported="one file for each name in all folders together",
            hint="Give the path of the file you mean, or rename one.",
        )


def _device_files(search: Sequence[Path]) -> list[Path]:
    return [path for folder in _folders(search) for path in sorted(folder.glob("*.toml"))]


def _folders(search: Sequence[Path]) -> list[Path]:
    named = [part for part in os.environ.get(ENVIRONMENT, "").split(os.pathsep) if part]
    origins = [(targets_folder(), "the package")]
    origins += [(Path(folder), "the search folders") for folder in search]
    origins += [(Path(part), f"the environment variable {ENVIRONMENT}") for part in named]
    origins += [
        (_entry_folder(entry), f"the entry point {entry.name!r} of {GROUP}")
        for entry in entry_points(group=GROUP)
    ]
    for folder, origin in origins:
        _require_folder(folder, origin)
    # The same folder may be given in several ways; the dict keeps the order.
    return list(dict.fromkeys(folder.resolve() for folder, _ in origins))


def _entry_folder(entry: EntryPoint) -> Path:
    supported = "an attribute that holds the path of a folder"
    folder: Path = load_entry_point(entry, supported, Path, TargetError)
    return folder


def _require_folder(folder: Path, origin: str) -> None:
    if not folder.is_dir():
        raise TargetError(
            f"The targets folder {str(folder)!r}, named by {origin}, is no folder.",
            where=str(folder),
            supported="existing folders with .toml files of devices",
            hint="Create the folder, or take its name away.",
        )


def _name(table: Table) -> str:
    name, stem = table.text("name"), table.path.stem
    if name != stem:
        what = f"The name {name!r} differs from that of the file, {stem!r}."
        raise table.error("name", what, f'name = "{stem}"', "Rename the file, or correct the name.")
    return name


def _read_device(path: Path) -> Target:
    keys = ("name", "description", "core", "memory", "budget", "arena", "weights", "serial")
    table = open_table(path, keys)
    memories = _read_memories(table.table("memory"))
    name, description, core = _name(table), table.text("description"), _find_core(table)
    arena, system = _read_arena(table)
    weights = _read_weights(table)
    with table.locate():
        pools = arena_pools(memories, arena, system)
        whole = sum(pool.size for pool in pools), largest_memory(memories, "rx").size
    ram, flash = _read_budget(table, *whole)
    serial = read_serial(table)
    with table.locate():
        return Target(
            name, description, core, memories, ram, flash, path, arena, system, weights, serial
        )


def _read_memories(table: Table) -> tuple[Memory, ...]:
    memories = []
    for name in table.values:
        memory = table.table(name, ("size", "access", "latency", "reach"))
        size, access = memory.size("size"), memory.text("access")
        latency = memory.integer("latency") if "latency" in memory.values else 1
        reach = memory.texts("reach") if "reach" in memory.values else ("cpu", "dma")
        with memory.locate():
            memories.append(Memory(name, size, access, latency, reach))
    return tuple(memories)


def _read_arena(table: Table) -> tuple[tuple[str, ...], str]:
    """Return the names of the pools' memories and of the system memory, where they are given."""
    if "arena" not in table.values:
        return (), ""
    arena = table.table("arena", ("pools", "system"))
    pools = arena.texts("pools") if "pools" in arena.values else ()
    if not pools and "pools" in arena.values:
        what, supported = "The arena has no pool.", 'names of memories with access "rw"'
        raise arena.error("pools", what, supported, "Name one, or leave pools out.")
    return pools, _memory_name(arena, "system") if "system" in arena.values else ""


def _read_weights(table: Table) -> str:
    """Return the name of the weights' memory, where it is given."""
    if "weights" not in table.values:
        return ""
    return _memory_name(table.table("weights", ("memory",)), "memory")


def _memory_name(table: Table, key: str) -> str:
    name = table.text(key)
    with table.locate():  # an empty one would pass for one that is not given
        require_text(key, name)
    return name


def _read_budget(table: Table, ram: int, flash: int) -> tuple[int, int]:
    """Return the budgets in bytes; those that are not in the file are `ram` and `flash`."""
    if "budget" not in table.values:
        return ram, flash
    budget = table.table("budget", ("ram", "flash"))
    ram = budget.size("ram") if "ram" in budget.values else ram
    flash = budget.size("flash") if "flash" in budget.values else flash
    return ram, flash


def _find_core(table: Table) -> Core:
    name = table.text("core")
    folders = (table.path.resolve().parent / "cores", targets_folder() / "cores")
    files = {path.stem: path for folder in reversed(folders) for path in folder.glob("*.toml")}
    if name not in files:
        hint = nearest(name, files) or f"Describe it in cores/{name}.toml beside the device."
        raise table.error("core", f"Core {name!r} is unknown.", ", ".join(sorted(files)), hint)
    return _read_core(files[name])


def load_core(name: str) -> Core | None:
    """Return a shipped core by name; None if there is none."""
    path = targets_folder() / "cores" / f"{name}.toml"
    return _read_core(path) if path.is_file() else None


def _read_core(path: Path) -> Core:
    table = open_table(path, ("name", "isa", "toolchain", "flags", "emulator"))
    emulator = _read_emulator(table) if "emulator" in table.values else None
    name, isa, flags = _name(table), table.texts("isa"), table.texts("flags")
    toolchain = table.text("toolchain")
    with table.locate():
        return Core(name, isa, toolchain, flags, emulator)


def _read_emulator(core: Table) -> Emulator:
    table = core.table("emulator", tuple(Emulator.__dataclass_fields__))
    vectors, code, data = (_read_region(table, key) for key in ("vectors", "code", "data"))
    program, machine, counter = (table.text(key) for key in ("program", "machine", "counter"))
    base, hz = _read_counter(table, counter)
    shift, cpu = table.integer("icount_shift"), _read_cpu(table)
    with table.locate():
        return Emulator(program, machine, shift, counter, base, hz, vectors, code, data, cpu)


def _read_counter(emulator: Table, counter: str) -> tuple[int, int]:
    """Return a counter's address and frequency; that of a core has neither in the file."""
    keys = ("counter_base", "counter_hz")
    if counter != "minstret":
        base, hz = (emulator.integer(key) for key in keys)
        return base, hz
    for key in keys:
        if key in emulator.values:
            what = f"The counter 'minstret' has no {key}: it counts instructions in the core."
            raise emulator.error(key, what, "this key for timers of a board", f"Remove {key}.")
    return 0, INSTRUCTION_HZ


def _read_cpu(emulator: Table) -> str:
    """Return QEMU's name of the core, or "" where the board has one core only."""
    if "cpu" not in emulator.values:
        return ""
    cpu = emulator.text("cpu")
    with emulator.locate():  # an empty one would pass for one that is not given
        require_text("cpu", cpu)
    return cpu


def _read_region(emulator: Table, key: str) -> Region:
    table = emulator.table(key, ("origin", "length"))
    origin, length = table.integer("origin"), table.size("length")
    with table.locate():
        return Region(origin, length)
