"""Records: the best values of knobs that were measured, one file an operator for each core.

``schedules/<core>/<operator>.json`` is written by tuning, reviewed in diffs, shipped, and used by
default. A file tells the conditions under which its records were measured; those of other
conditions are refused with a warning, and a record that the kernels do not take any more is
reported.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tvm_embbert.errors import EmbBertError, InputError
from tvm_embbert.folder import write_text
from tvm_embbert.resources import schedules_folder
from tvm_embbert.strategy.knobs import Config, Value
from tvm_embbert.strategy.registry import Choice
from tvm_embbert.target import Core
from tvm_embbert.tune.signature import signature

VERSION = 1
LOOPS = "loops"
"""In the place of an implementation: the record of a whole program's tiles."""


@dataclass(frozen=True)
class Point:
    """Values of knobs, and what they cost.

    Attributes
    ----------
    config : dict
        Those that differ from the defaults.
    count : int
        Instructions or cycles of one measured run.
    scratch, code : int
        Bytes of scratch in the arena, and of the kernel's code.
    """

    config: dict[str, Value]
    count: int
    scratch: int
    code: int


@dataclass(frozen=True)
class Record:
    """The best values that were found for a kernel.

    Attributes
    ----------
    implementation : str
        Name of the implementation.
    call : str
        See :func:`tvm_embbert.tune.signature.signature`.
    rows, length : int
        Rows computed, and tokens of the input, when it was measured.
    before : int
        What was counted untuned.
    points : tuple of Point
        The fastest first; each further one is slower and takes less scratch.
    """

    implementation: str
    call: str
    rows: int
    length: int
    before: int
    points: tuple[Point, ...]

    def within(self, scratch: int | None) -> Point:
        """Return the fastest point with at most some bytes of scratch, or the smallest."""
        fitting = (p for p in self.points if scratch is None or p.scratch <= scratch)
        return next(fitting, self.points[-1])

    @property
    def key(self) -> tuple[str, str]:
        """Return what the record is looked up by."""
        return self.implementation, self.call


@dataclass(frozen=True)
class Conditions:
    """Under which records were measured: the same core and flags, or they say nothing.

    Attributes
    ----------
    core : str
        Name of the core.
    flags : tuple of str
        Of the compiler.
    compiler, tvm : str
        Versions; others are taken, too.
    unit : str
        What was counted: ``instructions`` or ``cycles``.
    runner : str
        Where: QEMU's machine, or a board.
    """

    core: str
    flags: tuple[str, ...]
    compiler: str
    tvm: str
    unit: str
    runner: str


def write_records(
    folder: Path, conditions: Conditions, records: Mapping[str, Sequence[Record]]
) -> list[Path]:
    """Write the records of each operator; returns the files.

    Parameters
    ----------
    folder : Path
        That of the core: made if missing. Files of other operators stay as they are.
    conditions : Conditions
        Under which the records were measured.
    records : mapping
        By operator; one without records has its file removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for operator, found in sorted(records.items()):
        path = folder / f"{operator}.json"
        if found:
            write_text(path, _text(operator, conditions, found))
            written.append(path)
        else:
            path.unlink(missing_ok=True)
    return written


def _text(operator: str, conditions: Conditions, records: Sequence[Record]) -> str:
    rows = [asdict(r) for r in sorted(records, key=lambda r: r.key)]
    document = {"version": VERSION, "operator": operator, **asdict(conditions), "records": rows}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


class Schedules:
    """The records for a core, looked up when kernels are made.

    Parameters
    ----------
    records : mapping
        Record and the name of its file, by :attr:`Record.key`.
    scratch : int, optional
        Bytes of scratch that points should not exceed.
    """

    def __init__(
        self, records: Mapping[tuple[str, str], tuple[Record, str]], scratch: int | None = None
    ) -> None:
        self._records, self.scratch = records, scratch
        self.used: dict[str, tuple[Record, Point, str]] = {}

    def __call__(self, choice: Choice) -> Config:
        """Return the values of knobs for a call; defaults where there is no record."""
        key = (choice.implementation.name, signature(choice.call))
        if key not in self._records:
            return {}
        record, source = self._records[key]
        point = record.within(self.scratch)
        try:
            choice.implementation.build(choice.call, point.config)
        except EmbBertError as error:
            _report(record, source, error)
            return {}
        self.used[choice.call.name] = (record, point, source)
        return point.config

    def frugal(self) -> Iterator[Schedules]:
        """Yield the records with less and less scratch."""
        sizes = {p.scratch for record, _ in self._records.values() for p in record.points}
        for size in sorted(sizes, reverse=True)[1:]:
            yield Schedules(self._records, size)

    def limited(self, scratch: int | None) -> Schedules:
        """Return the records with points of at most some bytes of scratch."""
        return Schedules(self._records, scratch)

    def tiles(self, key: str, arena: int | None = None) -> Config:
        """Return what was measured to be best for a program: ``tile_rows``, ``scratch``.

        Parameters
        ----------
        key : str
            See :func:`tvm_embbert.tune.signature.program_key`.
        arena : int, optional
            Bytes that the arena may take: the fastest point of the front that takes no more.
        """
        if (LOOPS, key) not in self._records:
            return {}
        record, _ = self._records[LOOPS, key]
        if arena is None:
            return next((p.config for p in record.points if "front" not in p.config), {})
        front = (p for p in record.points if "front" in p.config and p.scratch <= arena)
        return next((p.config for p in front), {})

    def as_json(self) -> list[dict[str, Any]]:
        """Return for the report which steps took which record, and where it is from."""
        return [
            {
                "step": step,
                "source": source,
                "config": point.config,
                "before": record.before,
                "after": point.count,
            }
            for step, (record, point, source) in self.used.items()
        ]


def _report(record: Record, source: str, error: EmbBertError) -> None:
    warnings.warn(
        f"A tuned schedule no longer applies, and the kernel's defaults are taken: {source}, "
        f"{record.implementation} for {record.call}: {str(error).splitlines()[0]} "
        "Tune the operator again, or delete the record.",
        stacklevel=4,
    )


def load_schedules(folder: Path, core: Core) -> Schedules:
    """Read the records for a core.

    Parameters
    ----------
    folder : Path
        Holds a folder for each core, or the files of one core themselves.
    core : Core
        Files that were measured on another, or with other flags, are left out with a warning.

    Raises
    ------
    InputError
        There is no such folder, or a file in it is no file of records.
    """
    if not folder.is_dir():
        raise InputError("There is no such folder of schedules.", where=str(folder))
    below = folder / core.name
    files = sorted((below if below.is_dir() else folder).glob("*.json"))
    found: dict[tuple[str, str], tuple[Record, str]] = {}
    for path in files:
        conditions, records = read_records(path)
        if _applies(path, conditions, core):
            source = f"{path.parent.name}/{path.name}"
            found.update({r.key: (r, source) for r in records})
    return Schedules(found)


def no_schedules() -> Schedules:
    """Return no records: all kernels take their defaults."""
    return Schedules({})


def shipped_schedules(core: Core) -> Schedules:
    """Return the records that ship for a core; none if there are none."""
    folder = schedules_folder() / core.name
    return load_schedules(folder, core) if folder.is_dir() else no_schedules()


def choose_schedules(folder: Path | str | None, core: Core) -> Schedules:
    """Return the records in a folder, none for the word ``none``, those that ship for None."""
    if folder is None:
        return shipped_schedules(core)
    return no_schedules() if str(folder) == "none" else load_schedules(Path(folder), core)


def _applies(path: Path, conditions: Conditions, core: Core) -> bool:
    reason = ""
    if conditions.core != core.name:
        reason = f"they were measured on {conditions.core}, not on {core.name}"
    elif conditions.flags != core.flags:
        reason = f"they were measured with {' '.join(conditions.flags)}, not {' '.join(core.flags)}"
    if reason:
        warnings.warn(f"The schedules in {path} are not used: {reason}.", stacklevel=4)
    return not reason


def read_records(path: Path) -> tuple[Conditions, list[Record]]:
    """Read a file of records; raise :class:`InputError` if it is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["version"] != VERSION:
            raise _damaged(path, f"its version is {document['version']}, not {VERSION}")
        names = ("core", "flags", "compiler", "tvm", "unit", "runner")
        conditions = Conditions(**{n: document[n] for n in names})
        records = [_record(row) for row in document["records"]]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    return replace(conditions, flags=tuple(conditions.flags)), records


def _record(row: dict[str, Any]) -> Record:
    points = tuple(Point(**point) for point in row["points"])
    if not points:
        raise TypeError("a record without points")
    return Record(**{**row, "points": points})


def _damaged(path: Path, why: str) -> InputError:
    return InputError(
        f"The file holds no records of schedules: {why}.",
        where=str(path),
        supported=f"what `tvm-embbert tune` writes, version {VERSION}",
        hint="Remove the file, or tune again.",
    )
