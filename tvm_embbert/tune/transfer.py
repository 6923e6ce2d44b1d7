"""Start from another core: what was best there is measured first, and teaches the cost model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tvm_embbert.errors import UsageError
from tvm_embbert.resources import schedules_folder
from tvm_embbert.strategy.knobs import Value, complete
from tvm_embbert.target import Core
from tvm_embbert.target_file import load_core
from tvm_embbert.tune.records import Record, read_records
from tvm_embbert.tune.task import Task

Found = tuple[str, dict[str, Value], int]
"""A task's name, a value of each knob, and the count on the other core."""


def nearest_core(core: Core) -> str:
    """Return the name of a core with shipped records that prefers the same instruction set.

    The empty string if there is none.
    """
    names = [name for name in _recorded() if name != core.name]
    near = [name for name in names if (other := load_core(name)) and other.isa[0] == core.isa[0]]
    return near[0] if near else ""


def _recorded() -> list[str]:
    return sorted(path.name for path in schedules_folder().iterdir() if path.is_dir())


def known_elsewhere(tasks: Sequence[Task], name: str) -> list[Found]:
    """Return the points of another core's records that the tasks' kernels can take.

    Raises
    ------
    UsageError
        No records ship for the core.
    """
    folder = schedules_folder() / name
    if not folder.is_dir():
        there = ", ".join(_recorded()) or "none yet"
        raise UsageError(f"No records ship for a core {name!r}.", where="--from", supported=there)
    records = [r for path in sorted(folder.glob("*.json")) for r in read_records(path)[1]]
    by_key = {record.key: record for record in records}
    return [found for task in tasks for found in _points(task, by_key.get(_key(task)))]


def _key(task: Task) -> tuple[str, str]:
    return task.implementation.name, task.signature


def _points(task: Task, record: Record | None) -> Iterator[Found]:
    for point in record.points if record else ():
        try:
            config = complete(task.knobs, point.config, task.name)
        except UsageError:
            continue  # the other core's record is out of date; that is told where it is compiled
        yield task.name, config, point.count
