"""A project of the Snips model on Cortex-M55: three commands, and validation over its own UART."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flow import Compile

from tvm_embbert import cli
from tvm_embbert.compiled import CompiledModel

pytestmark = pytest.mark.emulator

BOARD = "mps3-an547"
DATA = Path(__file__).parent.parent / "data" / "snips_test.tsv.gz"


@pytest.fixture(scope="module")
def compiled(compiled_for: Compile) -> CompiledModel:
    return compiled_for(BOARD)


@pytest.fixture(scope="module")
def project(compiled: CompiledModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("projects") / "p"
    source = ["--from", str(compiled.folder), "--template", "cmake"]
    assert cli.main(["project", "create", str(folder), *source]) == 0
    return folder


def test_build_and_run(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["project", "run", str(project), "--option", "program=selftest"]) == 0
    assert "self-test: 10 of 10 passed" in capsys.readouterr().out


def test_validate(
    project: Path, compiled: CompiledModel, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--project", str(project), "--data", str(DATA), "--limit", "6", "--json"]
    assert cli.main(["validate", *options]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rows"] == told["identical_rows"] == 6
    assert told["accuracy"]["image"] == told["accuracy"]["reference"]
    assert told["instructions"]["min"] > 0
    device, memory = told["device"], compiled.report["memory"]
    assert device["arena"] == memory["ram"]["arena"]
    assert memory["stack"]["infer"] <= device["stack_used"] <= device["stack"]
    assert device["flash"] >= memory["flash"]["weights"] + memory["flash"]["code"]
    assert device["unit"] == "instructions"
    assert set(device["per_operator"]) == {step["operator"] for step in compiled.report["steps"]}
    assert min(device["per_operator"].values()) > 0


def test_another_compiled_model_is_refused(
    project: Path, compiled_for: Compile, capsys: pytest.CaptureFixture[str]
) -> None:
    other = compiled_for("mps2-an385").folder
    options = [str(other), "--project", str(project), "--data", str(DATA)]
    assert cli.main(["validate", *options]) == 3
    assert "another model" in capsys.readouterr().err


def test_what_a_project_does_not_take(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--project", str(project), "--data", str(DATA)]
    assert cli.main(["validate", *options, "--port", "x"]) == 2
    assert "--option port=NAME" in capsys.readouterr().err
    assert cli.main(["validate", *options, "--option", "color=red"]) == 2
    assert "no option 'color'" in capsys.readouterr().err
    assert cli.main(["validate", "--data", str(DATA)]) == 2
    assert "Name a compiled model" in capsys.readouterr().err
