"""The template `arduino`: the library's description, and its sketches over a stub of the core."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from harness_client import check_serves
from host_build import STUBS, HostBuild, output_of

from tvm_embbert.project.archive import read_archive

pytestmark = pytest.mark.host

Create = Callable[..., Path]

SKETCHES = ("Benchmark", "Classify", "Minimal", "SelfTest", "Validation")
STUB = STUBS / "arduino"


@pytest.fixture
def project(create: Create) -> Path:
    return create("arduino", "host", fqbn="arduino:renesas_uno:minima")


def test_library_properties_are_those_of_a_library(project: Path) -> None:
    lines = (project / "library.properties").read_text().splitlines()
    fields = dict(line.split("=", 1) for line in lines)
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9 _.-]{0,62}", fields["name"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", fields["version"])
    for name in ("author", "maintainer", "sentence", "paragraph", "url", "architectures"):
        assert fields[name].strip()
    # Else the IDE says "uncategorized", and warns.
    assert fields["category"] == "Data Processing"
    assert (project / "src" / fields["includes"]).is_file()


def test_keywords_are_words_of_the_header_between_tabs(project: Path) -> None:
    header = next((project / "src").glob("*_classifier.h")).read_text()
    header += "".join(p.read_text() for p in (project / "src").rglob("*.h"))
    lines = (project / "keywords.txt").read_text().splitlines()
    for line in lines:
        if not line.startswith("#"):
            word, kind = line.split("\t")
            assert kind in ("KEYWORD1", "KEYWORD2", "LITERAL1")
            assert re.search(rf"\b{word}\b", header), word


def test_examples_are_sketches_named_like_their_folders(project: Path) -> None:
    found = sorted(p.relative_to(project / "examples") for p in project.glob("examples/*/*"))
    assert found == [Path(name) / f"{name}.ino" for name in SKETCHES]


def test_commands_and_readme_name_the_board(project: Path) -> None:
    readme = (project / "README.md").read_text()
    assert "--fqbn arduino:renesas_uno:minima" in readme
    assert "{{" not in readme
    assert "{%" not in readme


def test_sketches_compile_and_run(project: Path, tmp_path: Path) -> None:
    archive = read_archive(project / "model.tar")
    build = HostBuild(tmp_path / "objects", [STUB, project / "src"])
    # As arduino-cli does: everything below src, the C as C, with src alone in the search path.
    library = build.library(sorted(p for p in (project / "src").rglob("*.c*")))
    core = build.objects([STUB / "Arduino.cpp"])
    programs = {}
    for name in SKETCHES:
        # The builder puts this line in front of a sketch, and compiles it as C++.
        source = tmp_path / f"{name}.cpp"
        sketch = project / "examples" / name / f"{name}.ino"
        source.write_text(f"#include <Arduino.h>\n{sketch.read_text()}")
        programs[name] = build.program(name, [*build.objects([source]), *core, library])
    _check_answers(programs, archive.vectors, archive.report["model"]["labels"])
    check_serves(programs["Validation"], archive)


@pytest.mark.emulator
@pytest.mark.parametrize("cpu", ["cortex-m0plus", "cortex-m4", "cortex-m55"])
def test_what_is_of_the_board_compiles_for_its_core(
    project: Path, tmp_path: Path, cpu: str
) -> None:
    flags = [f"-mcpu={cpu}", "-mthumb", "-ffreestanding"]
    build = HostBuild(tmp_path, [STUB, project / "src"], flags, prefix="arm-none-eabi-")
    sources = [project / "src/app/app_port.cpp", project / "src/harness/harness_board.cpp"]
    port, _ = build.objects(sources)
    # The key of the counter of cycles, which a Cortex-M0+ does not have.
    assert ((0xC5ACCE55).to_bytes(4, "little") in port.read_bytes()) == (cpu != "cortex-m0plus")


def _check_answers(
    programs: dict[str, Path], vectors: list[dict[str, list[int]]], labels: list[str]
) -> None:
    passed = f"self-test: {len(vectors)} of {len(vectors)} passed\n"
    assert passed in output_of(programs["SelfTest"])
    good = next(v for v in vectors if v["code"] == 0)
    label = labels[good["logits"].index(max(good["logits"]))]
    typed = f"{' '.join(map(str, good['ids']))}\nselftest\nnonsense\n"
    told = output_of(programs["Classify"], typed)
    assert f"{label} ({max(good['logits'])}), " in told
    assert passed in told
    assert "not a list of token ids" in told
    assert f"{label} {max(good['logits'])}\n" in output_of(programs["Minimal"])
    assert re.search(r"^\d+ tokens: \d+ us$", output_of(programs["Benchmark"]), re.MULTILINE)
