"""A TOML file read key by key: every error names the file, the key and what may stand there."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tvm_embbert.errors import TargetError
from tvm_embbert.target_checks import nearest

UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20}
"""Units of a size and their bytes."""

_SIZE = re.compile(r"([0-9]+) ?([A-Za-z]+)")


class Table:
    """A TOML table that knows its file and place, and which of its keys may appear."""

    def __init__(self, path: Path, place: str, values: object, keys: Sequence[str] = ()) -> None:
        """Raise :class:`TargetError` for a value that is no table, or a key not among `keys`."""
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

    def table(self, key: str, keys: Sequence[str] = ()) -> Table:
        """Return the table below ``key``; ``keys`` are the only ones allowed in it."""
        place = f"{self.place}.{key}" if self.place else key
        return Table(self.path, place, self.get(key, f"a table [{place}]"), keys)


def _unit_hint(unit: str) -> str:
    # KB means 1000 bytes to some and 1024 to others; guessing could overrun the device.
    if unit.lower() in ("k", "kb", "m", "mb"):
        binary = "KiB" if unit.lower().startswith("k") else "MiB"
        return f"{unit!r} is ambiguous. Write {binary}, which is {UNITS[binary]} bytes."
    return nearest(unit, UNITS) or "Write B, KiB or MiB."


def open_table(path: Path, keys: Sequence[str]) -> Table:
    """Read a TOML file; raise :class:`TargetError` if it is none, or has other keys than these."""
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
    return Table(path, "", values, keys)
