"""The template `platformio`: its environments and manifests, and its programs over stubs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from configparser import RawConfigParser
from pathlib import Path

import pytest
from harness_client import check_serves
from host_build import STUBS, HostBuild, output_of

from tvm_embbert.errors import InputError
from tvm_embbert.project.archive import read_archive

pytestmark = pytest.mark.host

Create = Callable[..., Path]

STUB = STUBS / "arduino"
LIBRARIES = ("app", "harness", "model")


@pytest.fixture
def project(create: Create) -> Path:
    return create("platformio", "host")


def _settings(project: Path) -> RawConfigParser:
    parser = RawConfigParser(strict=True)
    parser.read_string((project / "platformio.ini").read_text())
    return parser


def test_environments_are_programs_on_boards(project: Path) -> None:
    settings = _settings(project)
    boards = [name for name in settings.sections() if settings.has_option(name, "board")]
    assert "env:nucleo_f446re" in boards
    for name in boards:
        assert settings[name]["platform"]
        assert name == f"env:{settings[name]['board']}"
        for program in ("benchmark", "validation"):
            assert settings[f"{name}_{program}"]["extends"] == f"{name}, {program}"
    for section in ("env", "benchmark", "validation"):
        found = re.fullmatch(r"\+<(\w+\.cpp)>", settings[section]["build_src_filter"])
        assert found
        assert (project / "src" / found[1]).is_file()


def test_default_environment_is_the_chosen_board(create: Create) -> None:
    settings = _settings(
        create("platformio", "host", board="genericSTM32F407VET6", platform="ststm32")
    )
    assert settings["platformio"]["default_envs"] == "genericSTM32F407VET6"
    assert settings["env:genericSTM32F407VET6"]["platform"] == "ststm32"


def test_board_that_is_not_listed_needs_its_platform(create: Create) -> None:
    with pytest.raises(InputError, match="option platform"):
        create("platformio", "host", board="genericSTM32F407VET6")


def test_manifests_tell_headers_and_dependencies(project: Path) -> None:
    manifests = [json.loads((project / f"lib/{n}/library.json").read_text()) for n in LIBRARIES]
    names = {manifest["name"] for manifest in manifests}
    for folder, manifest in zip(LIBRARIES, manifests, strict=True):
        assert re.fullmatch(r"\d+\.\d+\.\d+", manifest["version"])
        assert list((project / "lib" / folder).rglob(manifest["headers"]))
        assert set(manifest.get("dependencies", ())) <= names


def test_programs_compile_and_run(project: Path, tmp_path: Path) -> None:
    archive = read_archive(project / "model.tar")
    includes = [project / "lib" / name / "src" for name in LIBRARIES]
    build = HostBuild(tmp_path, [STUB, *includes, project / "lib/model/include"])
    libraries = [
        build.library(sorted((project / "lib" / name / "src").glob("*.c*")))
        for name in ("harness", "app", "model")
    ]
    core = build.objects([STUB / "Arduino.cpp", STUB / "unity.cpp"])
    mains = [*(project / "src").glob("*.cpp"), project / "test/test_selftest/test_main.cpp"]
    programs = {
        main.stem: build.program(main.stem, [*build.objects([main]), *core, *libraries])
        for main in mains
    }
    count = len(archive.vectors)
    told = output_of(programs["test_main"])
    assert told.endswith(f"self-test: {count} of {count} passed\nfailures: 0\n")
    _check_label(programs["classify"], archive.vectors, archive.report["model"]["labels"])
    assert re.search(r"^\d+ tokens: \d+ us$", output_of(programs["benchmark"]), re.MULTILINE)
    check_serves(programs["validation"], archive)


def _check_label(program: Path, vectors: list[dict[str, list[int]]], labels: list[str]) -> None:
    for vector in vectors:
        if vector["code"] == 0:
            greatest = max(vector["logits"])
            told = output_of(program, " ".join(map(str, vector["ids"])) + "\n")
            assert f"{labels[vector['logits'].index(greatest)]} ({greatest}), " in told
