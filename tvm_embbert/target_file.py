"""Reading devices and cores from TOML files.

A device file names a core; the core's file lies in ``cores/`` beside the device's file or in the
shipped folder. Devices are found by name in the shipped folder, in the folders given to the call,
in those named by the environment variable ``TVM_EMBBERT_TARGETS`` and in those of installed
packages with an entry point of the group ``tvm_embbert.targets``.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from tvm_embbert.errors import TargetError
from tvm_embbert.resources import targets_folder
from tvm_embbert.target import Core, Emulator, Memory, Region, Target, largest_memory, nearest

ENVIRONMENT = "TVM_EMBBERT_TARGETS"
"""Environment variable with further folders, separated as in PATH."""

GROUP = "tvm_embbert.targets"
"""Entry point group; each entry point resolves to the path of a folder."""

UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20}
"""Units of a size and their bytes."""

_SIZE = re.compile(r"([0-9]+) ?([A-Za-z]+)")


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
    try:
        return Path(entry.load())
    # Other packages' code runs here; whatever it raises, the user must learn whose it is.
    except Exception as error:
        raise TargetError(
            f"The entry point {entry.name!r} does not resolve to a folder: {error}",
            where=f"{GROUP}: {entry.value}",
            supported="an attribute that holds the path of a folder",
            hint="Repair or uninstall the package that declares it.",
        ) from error


def _require_folder(folder: Path, origin: str) -> None:
    if not folder.is_dir():
        raise TargetError(
            f"The targets folder {str(folder)!r}, named by {origin}, is no folder.",
            where=str(folder),
            supported="existing folders with .toml files of devices",
            hint="Create the folder, or take its name away.",
        )


class _Table:
    """A TOML table that knows its file and place, and which of its keys may appear."""

    def __init__(self, path: Path, place: str, values: object, keys: Sequence[str] = ()) -> None:
        self.path, self.place = path, place
        if not isinstance(values, dict):
            raise self.error("", f"{place!r} is no table.", "a table of keys and values")
        self.values = values
        # Without expected keys the keys are names that the user chooses.
        for key in values if keys else ():
            if key not in keys:
                hint = nearest(key, keys) or "Remove it."
                what = f"Unknown key {key!r}."
                raise self.error(key, what, f"the keys {', '.join(keys)}", hint)

    def error(self, key: str, what: str, supported: str, hint: str = "") -> TargetError:
        """Return an error that names the file and the key with its tables."""
        place = ".".join(part for part in (self.place, key) if part)
        where = f"{self.path}: {place}" if place else str(self.path)
        return TargetError(what, where=where, supported=supported, hint=hint)

    @contextmanager
    def locate(self) -> Iterator[None]:
        """Add file and table to the errors of the classes, which know neither."""
        try:
            yield
        except TargetError as error:
            raise self.error(error.where, error.what, error.supported, error.hint) from error

    def get(self, key: str, supported: str) -> object:
        """Return the value of a key that must be there."""
        if key not in self.values:
            raise self.error(key, f"Key {key!r} is missing.", supported, f"Add {key}.")
        return self.values[key]

    def text(self, key: str) -> str:
        """Return a string."""
        value = self.get(key, "a string")
        if not isinstance(value, str):
            raise self.error(key, f"{key} is {value!r}, no string.", f'a string, {key} = "..."')
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings."""
        value = self.get(key, "a list of strings")
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, f"{key} is {value!r}, no list of strings.", "a list of strings")
        return tuple(value)

    def integer(self, key: str) -> int:
        """Return a whole number."""
        value = self.get(key, "a whole number")
        # bool is an int in Python, but not in TOML.
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error(key, f"{key} is {value!r}, no whole number.", "a whole number")
        return value

    def size(self, key: str) -> int:
        """Return a size in bytes, given as "256 KiB" or as a number of bytes."""
        supported = f'a string such as "256 KiB" ({", ".join(UNITS)}) or a whole number of bytes'
        value = self.get(key, supported)
        if not isinstance(value, str):
            if isinstance(value, int) and not isinstance(value, bool):
                return value
            raise self.error(key, f"{key} is {value!r}, no size.", supported)
        match = _SIZE.fullmatch(value.strip())
        if match is None or match[2] not in UNITS:
            hint = _unit_hint(match[2]) if match else "Write a whole number and a unit."
            raise self.error(key, f"{key} is {value!r}, no size.", supported, hint)
        return int(match[1]) * UNITS[match[2]]

    def table(self, key: str, keys: Sequence[str] = ()) -> _Table:
        """Return the table below ``key``; ``keys`` are the only ones allowed in it."""
        place = f"{self.place}.{key}" if self.place else key
        return _Table(self.path, place, self.get(key, f"a table [{place}]"), keys)


def _unit_hint(unit: str) -> str:
    # KB means 1000 bytes to some and 1024 to others; guessing could overrun the device.
    if unit.lower() in ("k", "kb", "m", "mb"):
        binary = "KiB" if unit.lower().startswith("k") else "MiB"
        return f"{unit!r} is ambiguous. Write {binary}, which is {UNITS[binary]} bytes."
    return nearest(unit, UNITS) or "Write B, KiB or MiB."


def _open(path: Path, keys: Sequence[str]) -> _Table:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    # Bad TOML and bad UTF-8 are both ValueErrors.
    except (OSError, ValueError) as error:
        raise TargetError(
            f"The file cannot be read: {error}",
            where=str(path),
            supported="a TOML file in UTF-8",
            hint="Correct the file, or the path.",
        ) from error
    return _Table(path, "", values, keys)


def _name(table: _Table) -> str:
    name, stem = table.text("name"), table.path.stem
    if name != stem:
        what = f"The name {name!r} differs from that of the file, {stem!r}."
        raise table.error("name", what, f'name = "{stem}"', "Rename the file, or correct the name.")
    return name


def _read_device(path: Path) -> Target:
    table = _open(path, ("name", "description", "core", "memory", "budget"))
    memories = _read_memories(table.table("memory"))
    name, description, core = _name(table), table.text("description"), _find_core(table)
    ram, flash = _read_budget(table, memories)
    with table.locate():
        return Target(name, description, core, memories, ram, flash, path)


def _read_memories(table: _Table) -> tuple[Memory, ...]:
    memories = []
    for name in table.values:
        memory = table.table(name, ("size", "access"))
        size, access = memory.size("size"), memory.text("access")
        with memory.locate():
            memories.append(Memory(name, size, access))
    return tuple(memories)


def _read_budget(table: _Table, memories: Sequence[Memory]) -> tuple[int, int]:
    with table.locate():
        ram, flash = largest_memory(memories, "rw").size, largest_memory(memories, "rx").size
    if "budget" not in table.values:
        return ram, flash
    budget = table.table("budget", ("ram", "flash"))
    ram = budget.size("ram") if "ram" in budget.values else ram
    flash = budget.size("flash") if "flash" in budget.values else flash
    return ram, flash


def _find_core(table: _Table) -> Core:
    name = table.text("core")
    folders = (table.path.resolve().parent / "cores", targets_folder() / "cores")
    files = {path.stem: path for folder in reversed(folders) for path in folder.glob("*.toml")}
    if name not in files:
        hint = nearest(name, files) or f"Describe it in cores/{name}.toml beside the device."
        raise table.error("core", f"Core {name!r} is unknown.", ", ".join(sorted(files)), hint)
    return _read_core(files[name])


def _read_core(path: Path) -> Core:
    table = _open(path, ("name", "isa", "toolchain", "flags", "emulator"))
    emulator = _read_emulator(table) if "emulator" in table.values else None
    name, isa, flags = _name(table), table.texts("isa"), table.texts("flags")
    toolchain = table.text("toolchain")
    with table.locate():
        return Core(name, isa, toolchain, flags, emulator)


def _read_emulator(core: _Table) -> Emulator:
    table = core.table("emulator", tuple(Emulator.__dataclass_fields__))
    vectors, code, data = (_read_region(table, key) for key in ("vectors", "code", "data"))
    program, machine, counter = (table.text(key) for key in ("program", "machine", "counter"))
    numbers = ("icount_shift", "counter_base", "counter_hz")
    shift, base, hz = (table.integer(key) for key in numbers)
    with table.locate():
        return Emulator(program, machine, shift, counter, base, hz, vectors, code, data)


def _read_region(emulator: _Table, key: str) -> Region:
    table = emulator.table(key, ("origin", "length"))
    origin, length = table.integer("origin"), table.size("length")
    with table.locate():
        return Region(origin, length)
