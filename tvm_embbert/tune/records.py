"""Records: the best values of knobs that were measured, one file an operator for each core.

``schedules/<core>/<operator>.json`` is written by tuning, reviewed in diffs, shipped, and used by
default. A file tells the conditions under which its records were measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tvm_embbert.errors import InputError
from tvm_embbert.folder import write_text
from tvm_embbert.strategy.knobs import Value

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
