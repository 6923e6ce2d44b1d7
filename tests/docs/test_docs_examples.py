"""What the pages tell to write and to type works as they say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pages import PAGES, ROOT, consoles, files, follow, read
from serial_board import serial_board

from tvm_embbert.measure.wiring import require_emulator
from tvm_embbert.target_file import load_target

FOLLOWED = {
    "README.md": {"host", "emulator"},
    "docs/adding-a-device.md": {"", "emulator"},
    "docs/adding-an-operator.md": {"host", "emulator"},
    "docs/c-interface.md": {"host"},
    "docs/memory.md": {"host", "emulator"},
    "docs/projects.md": {"emulator"},
    "docs/tuning.md": {"emulator", "serial"},
}
"""Pages with consoles, and what those need; a test below for each."""


def test_every_console_is_followed_by_a_test() -> None:
    names = [path.relative_to(ROOT).as_posix() for path in PAGES]
    found = {name: {console.needs for console in consoles(name)} for name in names}
    assert {name: needs for name, needs in found.items() if needs} == FOLLOWED


def test_errors_in_a_device_file_are_those_of_the_page(tmp_path: Path) -> None:
    assert follow("docs/adding-a-device.md", tmp_path, ("",)) == 7


@pytest.mark.host
def test_python_example_of_the_readme(tmp_path: Path) -> None:
    assert follow("README.md", tmp_path, ("host",)) == 1


@pytest.mark.host
def test_operator_from_outside(tmp_path: Path) -> None:
    assert follow("docs/adding-an-operator.md", tmp_path, ("host",)) == 2


@pytest.mark.host
def test_c_program_and_report(tmp_path: Path) -> None:
    assert follow("docs/c-interface.md", tmp_path, ("host",)) == 6
    # The same compiled model serves for the header and the report: compiling takes longest.
    _check_header(next(tmp_path.glob("out/snips/library/include/*.h")).read_text())
    _check_report(json.loads((tmp_path / "out/snips/report.json").read_text()))
    _check_tokens(tmp_path)


@pytest.mark.host
def test_tiles_and_planners_from_outside(tmp_path: Path) -> None:
    assert follow("docs/memory.md", tmp_path, ("host",)) == 4


@pytest.mark.emulator
def test_command_line_of_the_readme(tmp_path: Path) -> None:
    assert follow("README.md", tmp_path, ("emulator",)) == 6


@pytest.mark.emulator
def test_devices_from_outside(tmp_path: Path) -> None:
    assert follow("docs/adding-a-device.md", tmp_path, ("emulator",)) == 8


@pytest.mark.emulator
def test_budgets_and_debug_builds(tmp_path: Path) -> None:
    assert follow("docs/memory.md", tmp_path, ("emulator",)) == 6


@pytest.mark.emulator
def test_operator_for_an_instruction_set(tmp_path: Path) -> None:
    assert follow("docs/adding-an-operator.md", tmp_path, ("emulator",)) == 3


@pytest.mark.emulator
def test_boards_and_tuning(tmp_path: Path) -> None:
    """What the page flashes is the file that the board, which is QEMU, starts."""
    assert follow("docs/tuning.md", tmp_path, ("emulator",)) == 4
    emulator = require_emulator(load_target(tmp_path / "boards/acme-desk.toml"))
    with serial_board(emulator, tmp_path / "board.elf") as board:
        assert follow("docs/tuning.md", tmp_path, ("serial",), board.port) == 4
    _check_session(tmp_path / "out/tune-desk")
    tuned = json.loads((tmp_path / "out/tuned/report.json").read_text())["schedules"]
    assert "cortex-m4/rms_norm.json" in {row["source"] for row in tuned}
    told = re.search(r"^\| `schedules\[\]` .*$", read("docs/report.md"), re.M)
    assert told is not None
    assert set(tuned[0]) <= set(re.findall(r"`(\w+)`", told[0]))


def _check_session(folder: Path) -> None:
    """The page has every field of a session's files, and no other."""
    _, _, rest = read("docs/tuning.md").partition("## What a session writes\n")
    section, _, _ = rest.partition("\n## ")
    tables = [part for part in section.split("\n\n") if part.startswith("| field")]
    told = [set(re.findall(r"`([\w]+?)(?:\[\])?`", _first_cells(table))) for table in tables]
    header, *rows = map(json.loads, (folder / "trials.jsonl").read_text().splitlines())
    assert "unit" in header
    models, trials = (
        [set(r) for r in rows if ("model" in r) == wanted] for wanted in (True, False)
    )
    summary = json.loads((folder / "summary.json").read_text())
    assert told == [trials[0], set(summary)]
    line = re.search(r"^A line of a whole model has .*?\.$", section, re.M | re.S)
    assert line is not None
    assert set(re.findall(r"`(\w+)`", line[0])) == models[0]


def _first_cells(table: str) -> str:
    return "".join(row.split("|")[1] for row in table.splitlines())


def _check_header(header: str) -> None:
    """The page's prototypes and error codes are those of the header."""
    page, flat = read("docs/c-interface.md"), " ".join(header.split())
    for block in re.findall(r"^```c\n(int32_t .*?)^```$", page, re.M | re.S):
        assert " ".join(block.split()) in flat
    told = dict(re.findall(r"^\| (-?\d) \| `(\w+)`", page, re.M))
    declared = re.findall(r"(TVMGEN_SNIPS_(?:OK|ERROR_\w+)) = (-?\d)", header)
    assert told == {code: name for name, code in declared}
    for macro in re.findall(r"TVMGEN_SNIPS_\w+", page):
        assert macro in header


def _check_report(report: dict) -> None:
    """The page has every field of a report, and no other."""
    section = read("docs/report.md").partition("## report.json\n")[2].partition("\n## ")[0]
    first_cells = [row.split("|")[1] for row in section.splitlines() if row.startswith("| `")]
    told = {
        name.removesuffix("[]") for cell in first_cells for name in re.findall(r"`(.+?)`", cell)
    }
    assert told == set(_fields(report))


def _fields(report: dict, place: str = "") -> list[str]:
    names = []
    for key, value in report.items():
        inner = isinstance(value, dict)
        names += _fields(value, f"{place}{key}.") if inner else [f"{place}{key}"]
    return names


def _check_tokens(folder: Path) -> None:
    """The ids in main.c are those of the sentence that it names."""
    from tvm_embbert.models.checkpoint import load_model

    ids = re.search(r"ids\[.*?\] = \{(.*?)\}", files("docs/c-interface.md")["main.c"])
    assert ids is not None
    told = [int(i) for i in ids[1].split(",")]
    assert told == load_model(folder / "out/snips/model").encoder.encode("play some jazz", 256)


@pytest.mark.emulator
def test_projects_and_a_template_of_ones_own(tmp_path: Path) -> None:
    assert follow("docs/projects.md", tmp_path, ("emulator",)) == 10
