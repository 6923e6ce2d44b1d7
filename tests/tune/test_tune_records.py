"""Records: written stably, used for their own core alone, and reported when out of date."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tvm_embbert.errors import InputError
from tvm_embbert.program.build import build_program
from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.target_file import load_target
from tvm_embbert.tune.records import Conditions, Point, Record, read_records, write_records
from tvm_embbert.tune.schedules import load_schedules
from tvm_embbert.tune.task import Task

CORE = load_target("mps2-an386").core
CONDITIONS = Conditions(CORE.name, CORE.flags, "gcc 12", "0.27", "instructions", "qemu")


def record(task: Task, **changes: object) -> Record:
    points = (Point({"optimize": "O3"}, 90, 64, 10), Point({"optimize": "Os"}, 95, 16, 8))
    name = task.implementation.name
    made = Record(name, task.signature, task.rows, task.length, 100, points)
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def folder(tasks: list[Task], tmp_path: Path) -> Path:
    """Return a folder with a record for each linear call."""
    linear = [record(t) for t in tasks if t.operator == "linear"]
    write_records(tmp_path / CORE.name, CONDITIONS, {"linear": linear})
    return tmp_path


def test_round_trip_is_stable(folder: Path, tmp_path: Path) -> None:
    path = folder / CORE.name / "linear.json"
    conditions, records = read_records(path)
    again = write_records(tmp_path / "again", conditions, {"linear": records[::-1]})
    assert again[0].read_text() == path.read_text()


def test_kernels_take_them(module: IntegerModule, folder: Path) -> None:
    schedules = load_schedules(folder, CORE)
    program = build_program(module, CORE.isa, None, schedules)
    levels = {step.operator: program.levels[step.kernel] for step in program.steps}
    assert levels["linear"] == "O3"
    assert levels["attention"] == "O2"
    used = schedules.as_json()
    assert {row["source"] for row in used} == {f"{CORE.name}/linear.json"}
    assert all(row["step"].startswith("linear") for row in used)


def test_frugal_ones_take_less_scratch(module: IntegerModule, folder: Path) -> None:
    smaller = list(load_schedules(folder, CORE).frugal())
    assert len(smaller) == 1
    program = build_program(module, CORE.isa, None, smaller[0])
    assert "Os" in program.levels.values()


def test_another_core_is_refused(folder: Path) -> None:
    other = load_target("mps2-an500").core
    with pytest.warns(UserWarning, match="measured on cortex-m4, not on cortex-m7"):
        assert not load_schedules(folder / CORE.name, other).as_json()


def test_other_flags_are_refused(folder: Path) -> None:
    core = replace(CORE, flags=(*CORE.flags, "-mslow-flash-data"))
    with pytest.warns(UserWarning, match="-mslow-flash-data"):
        schedules = load_schedules(folder, core)
    assert not list(schedules.frugal())


@pytest.mark.parametrize("config", [{"gone": 1}, {"optimize": "O9"}])
def test_out_of_date_is_reported(
    module: IntegerModule, tasks: list[Task], tmp_path: Path, config: dict[str, str]
) -> None:
    points = (Point(config, 90, 64, 10),)  # type: ignore[arg-type]
    linear = [record(t, points=points) for t in tasks if t.operator == "linear"]
    write_records(tmp_path / CORE.name, CONDITIONS, {"linear": linear})
    schedules = load_schedules(tmp_path, CORE)
    with pytest.warns(UserWarning, match="no longer applies"):
        build_program(module, CORE.isa, None, schedules)
    assert not schedules.used


def test_operators_without_records_lose_their_file(folder: Path) -> None:
    write_records(folder / CORE.name, CONDITIONS, {"linear": []})
    assert not (folder / CORE.name / "linear.json").exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 9}'])
def test_damaged_files_are_errors(folder: Path, text: str) -> None:
    (folder / CORE.name / "linear.json").write_text(text)
    with pytest.raises(InputError, match=r"linear\.json"):
        load_schedules(folder, CORE)


def test_points_must_be_there(folder: Path) -> None:
    path = folder / CORE.name / "linear.json"
    document = json.loads(path.read_text())
    document["records"][0]["points"] = []
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match="without points"):
        load_schedules(folder, CORE)
