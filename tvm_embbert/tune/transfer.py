"""Start from other records: what was best for them is measured first, and teaches the cost model.

They are those of another core, or of a folder: of an earlier session, or written by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

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


def known_elsewhere(tasks: Sequence[Task], source: str, core: str = "") -> list[Found]:
    """Return the points of other records that the tasks' kernels can take.

    Parameters
    ----------
    tasks : sequence of Task
        What is tuned.
    source : str
        Name of a core that records ship for, or a folder of records.
    core : str
        Name of the core that is tuned: a folder may hold one for each core.

    Raises
    ------
    UsageError
        No records ship for such a core, and no such folder has any.
    """
    paths = sorted(_folder(source, core).glob("*.json"))
    if not paths:
        there = ", ".join(_recorded()) or "none yet"
        raise UsageError(
            f"There are no records of a core or in a folder {source!r}.",
            where="--from",
            supported=f"records of {there}; or a folder of records",
        )
    records = [r for path in paths for r in read_records(path)[1]]
    by_key = {record.key: record for record in records}
    return [found for task in tasks for found in _points(task, by_key.get(task.identity))]


def _folder(source: str, core: str) -> Path:
    given = Path(source)
    if source in _recorded():
        return schedules_folder() / source
    return given / core if core and (given / core).is_dir() else given


def _points(task: Task, record: Record | None) -> Iterator[Found]:
    for point in record.points if record else ():
        try:
            config = complete(task.knobs, point.config, task.name)
        except UsageError:
            continue  # a record that is out of date is told of where it is compiled
        yield task.name, config, point.count
