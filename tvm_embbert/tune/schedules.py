"""Schedules: records at work, looked up when a model's kernels are made.

Those of other conditions are refused with a warning, and a record that the kernels do not take any
more is reported.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tvm_embbert.errors import EmbBertError, InputError
from tvm_embbert.resources import schedules_folder
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.strategy.registry import Choice
from tvm_embbert.target import Core
from tvm_embbert.tune.records import LOOPS, Conditions, Point, Record, read_records
from tvm_embbert.tune.signature import signature


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
        """Yield the records with less and less scratch, at most half as much each time."""
        sizes = {p.scratch for record, _ in self._records.values() for p in record.points}
        limit = max(sizes, default=0)
        for size in sorted(sizes, reverse=True)[1:]:
            if 2 * size <= limit:
                limit = size
                yield Schedules(self._records, size)

    def lost(self, length: int) -> float:
        """Return what points with less scratch take more than the fastest, at a length in tokens.

        An estimate: counts are those of the rows that the records were measured with.
        """
        lost = 0.0
        for record, point, _ in self.used.values():
            # A record of several rows is one of a call with a row for each token.
            runs = length / record.rows if record.rows > 1 else 1
            lost += (point.count - record.points[0].count) * runs
        return lost

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
