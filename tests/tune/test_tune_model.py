"""A whole session on a small model: records that make the model that was counted, and a front."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tvm_embbert.errors import BudgetError, UsageError
from tvm_embbert.lowering import MemoryOptions
from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.target_file import load_target
from tvm_embbert.tune import scales
from tvm_embbert.tune.meter import EmulatorMeter
from tvm_embbert.tune.options import TuneOptions
from tvm_embbert.tune.records import read_records
from tvm_embbert.tune.schedules import load_schedules, no_schedules
from tvm_embbert.tune.tune_model import tune_model
from tvm_embbert.tune.whole import Whole, count

pytestmark = pytest.mark.emulator

TARGET = load_target("virt-rv32v")


@pytest.fixture(scope="module")
def tuned(module: IntegerModule, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Return the folder and the summary of a session."""
    out = tmp_path_factory.mktemp("tuned")
    options = TuneOptions(trials=32, operators=("linear", "attention"), source="none", front=True)
    return out, tune_model(module, TARGET, out, options)


def test_fewer_instructions(tuned: tuple[Path, Any]) -> None:
    _, summary = tuned
    assert summary["model"]["after"] < summary["model"]["before"]
    assert "kernels" not in {each["cause"] for each in summary["model"]["slower"]}
    assert summary["trials"]["differing"] == 0
    for row in summary["tasks"]:
        assert row["after"] <= row["before"]


def test_records_make_the_model_that_was_counted(
    module: IntegerModule, tuned: tuple[Path, Any]
) -> None:
    out, summary = tuned
    whole = Whole(module, TARGET, module.max_length, {})
    schedules = load_schedules(out, TARGET.core)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        counted = count(whole.lower(schedules), whole.ids)
    assert counted.total == summary["model"]["after"]
    assert counted.arena == summary["model"]["arena_after"]
    assert schedules.as_json()


def test_resumed_builds_nothing_again(
    module: IntegerModule, tuned: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, summary = tuned
    assert summary["trials"]["models"] > 2
    shutil.copy(folder / "trials.jsonl", tmp_path)
    monkeypatch.setattr(scales, "count", _never)
    monkeypatch.setattr(EmulatorMeter, "measure", _never)
    options = TuneOptions(
        trials=32, operators=("linear", "attention"), source="none", front=True, resume=True
    )
    again = tune_model(module, TARGET, tmp_path, options)
    assert {**again, "records": []} == {**summary, "records": []}
    for path in map(Path, summary["records"]):
        assert (tmp_path / TARGET.core.name / path.name).read_bytes() == path.read_bytes()


def _never(*_: object) -> None:
    raise AssertionError("it was measured already")


def test_untuned_stays_as_it_was(module: IntegerModule, tuned: tuple[Path, Any]) -> None:
    _, summary = tuned
    whole = Whole(module, TARGET, module.max_length, {})
    assert count(whole.lower(no_schedules()), whole.ids).total == summary["model"]["before"]


def test_records_tell_their_conditions(tuned: tuple[Path, Any]) -> None:
    out, _ = tuned
    files = sorted((out / TARGET.core.name).glob("*.json"))
    assert files
    for path in files:
        conditions, records = read_records(path)
        assert conditions.core == TARGET.core.name
        assert conditions.flags == TARGET.core.flags
        assert "gcc" in conditions.compiler
        assert records


def test_front_trades_instructions_for_memory(tuned: tuple[Path, Any]) -> None:
    front = tuned[1]["front"]
    assert len(front) > 1
    for one in front:
        for other in front:
            better = all(one[k] <= other[k] for k in ("instructions", "ram", "flash"))
            assert one is other or not better


def test_front_is_drawn(tuned: tuple[Path, Any]) -> None:
    out, summary = tuned
    root = ElementTree.fromstring((out / "front.svg").read_text("utf-8"))
    dots = root.findall("{http://www.w3.org/2000/svg}circle")
    told = [dot.findtext("{http://www.w3.org/2000/svg}title") or "" for dot in dots]
    assert len(told) == len(summary["front"])
    for text, point in zip(told, summary["front"], strict=True):
        assert text.startswith(f"{point['instructions']:,} instructions, RAM {point['ram']:,},")
    # Fewer instructions are further down, and y grows downwards.
    heights = [int(dot.attrib["cy"]) for dot in dots]
    assert heights == sorted(heights, reverse=True)
    xs = [(p["ram"], int(dot.attrib["cx"])) for p, dot in zip(summary["front"], dots, strict=True)]
    assert [x for _, x in sorted(xs)] == sorted(x for _, x in xs)


def test_arena_picks_from_the_front(module: IntegerModule, tuned: tuple[Path, Any]) -> None:
    out, summary = tuned
    whole = Whole(module, TARGET, module.max_length, {})
    schedules = load_schedules(out, TARGET.core)
    for point in summary["front"]:
        lowered = whole.lower(schedules, options=MemoryOptions(arena=point["arena"]))
        fastest = next(p for p in summary["front"] if p["arena"] <= point["arena"])
        assert lowered.plan.arena == fastest["arena"]
        assert count(lowered, whole.ids).total == fastest["instructions"]


def test_folder_to_start_from_and_limit_of_code(
    module: IntegerModule, tuned: tuple[Path, Any], tmp_path: Path
) -> None:
    folder, summary = tuned
    limit = summary["model"]["code_after"] - 100
    options = TuneOptions(
        trials=0, operators=("linear", "attention"), source=str(folder), code=limit
    )
    again = tune_model(module, TARGET, tmp_path, options)["model"]
    assert again["code_after"] <= limit
    assert summary["model"]["after"] <= again["after"] < again["before"]


def test_whole_models_are_of_the_emulator(module: IntegerModule, tmp_path: Path) -> None:
    class Counting(EmulatorMeter):
        unit = "cycles"
        runner = "a board"

    options = TuneOptions(trials=0, operators=("lookup",), source="none", front=True)
    tune_model(module, TARGET, tmp_path, options, meter=Counting(TARGET, 1))
    conditions, _ = read_records(tmp_path / TARGET.core.name / "loops.json")
    assert (conditions.unit, conditions.runner) == ("instructions", "qemu-system-riscv32 virt")


def test_impossible_limits_are_told(module: IntegerModule, tmp_path: Path) -> None:
    options = TuneOptions(trials=0, operators=("lookup",), source="none", arena=100)
    with pytest.raises(BudgetError, match="at most 100 bytes"):
        tune_model(module, TARGET, tmp_path, options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (TuneOptions(operators=("no_such",)), "no operator 'no_such'"),
        (TuneOptions(length=31), "no input of 31 tokens"),
        (TuneOptions(source="cortex-a9"), "no records of a core or in a folder"),
    ],
)
def test_wrong_options_are_told(
    module: IntegerModule, tmp_path: Path, options: TuneOptions, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        tune_model(module, TARGET, tmp_path, options)
