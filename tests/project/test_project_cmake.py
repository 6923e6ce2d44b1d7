"""The template `cmake`: built by GCC and clang for every core, and run in QEMU."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from archives import lowered
from serial_board import serial_board

import tvm_embbert
from tvm_embbert import cli
from tvm_embbert.compiled import CompiledModel
from tvm_embbert.errors import DeviceError, ToolchainError
from tvm_embbert.project.handler import TemplateHandler, open_project
from tvm_embbert.project.session import ProjectSession
from tvm_embbert.project.template_file import load_template, template_folder
from tvm_embbert.project.validating import project_session
from tvm_embbert.target_file import load_target

pytestmark = pytest.mark.emulator

BOARD = "mps2-an386"
BOARDS = (
    "mps2-an385",
    "mps2-an386",
    "mps2-an500",
    "mps2-an505",
    "mps3-an547",
    "virt-rv32",
    "virt-rv32v",
)
Create = Callable[..., Path]


def build(project: Path, toolchain: str, *targets: str) -> str:
    """Build with warnings as errors; returns what the compilers said."""
    configure = ["-DCMAKE_COMPILE_WARNING_AS_ERROR=ON", "-DCMAKE_C_FLAGS_DEBUG=-O0"]
    folder = f"build/{toolchain}"
    command = ["cmake", "-G", "Ninja", "-S", ".", "-B", folder, *configure]
    run = [[*command, "--toolchain", f"cmake/{toolchain}.cmake"]]
    run.append(["cmake", "--build", folder, *(f"--target={t}" for t in targets)])
    said = ""
    for line in run:
        done = subprocess.run(line, cwd=project, capture_output=True, text=True)
        said += done.stdout + done.stderr
        assert done.returncode == 0, said
    return said


def selftest(project: Path, toolchain: str, capsys: pytest.CaptureFixture[str]) -> int:
    options = ["--option", "program=selftest", "--option", f"toolchain={toolchain}"]
    capsys.readouterr()
    return cli.main(["project", "monitor", str(project), *options])


@pytest.mark.parametrize("toolchain", ["gcc", "clang"])
@pytest.mark.parametrize("board", BOARDS)
def test_self_test_passes(
    create: Create, board: str, toolchain: str, capsys: pytest.CaptureFixture[str]
) -> None:
    project = create("cmake", board, toolchain=toolchain)
    # All programs are built by both compilers where the core is the least and the most.
    whole = board in ("mps2-an385", "virt-rv32v")
    said = build(project, toolchain, *(() if whole else ("selftest",)))
    assert "warning" not in said
    assert selftest(project, toolchain, capsys) == 0
    count = len(open_project(project).archive.vectors)
    assert f"self-test: {count} of {count} passed" in capsys.readouterr().out


def test_a_wrong_model_fails_the_self_test(
    create: Create, capsys: pytest.CaptureFixture[str]
) -> None:
    project = create("cmake", BOARD)
    weights = project / "model/src/tvmgen_small_weights.c"
    text = weights.read_text()
    *_, last = re.finditer(r"linear_\d+_bias\[\d+\] = \{\s*(-?\d+)", text)
    other = str(int(last[1]) + 5000)
    weights.write_text(text[: last.start(1)] + other + text[last.end(1) :])
    build(project, "gcc", "selftest")
    assert selftest(project, "gcc", capsys) == 7
    assert "NOT the model" in capsys.readouterr().out


@pytest.fixture
def built(create: Create) -> Path:
    project = create("cmake", BOARD)
    build(project, "gcc")
    return project


def test_console_and_validation(
    built: Path, compiled: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    model, handler = CompiledModel(compiled(BOARD)), open_project(built)
    ids = [2, 7, 11, 4, 3]
    expected = model.reference.run(ids)
    handler.open_transport({})
    handler.write_transport(b"2 7,11 4 3x\b\r2 999\nwhat\nhelp\n" + b"1 " * 40 + b"\n", None)
    said = read_until(handler, 6)
    label, best = model.labels[int(np.argmax(expected))], int(expected.max())
    assert f"{label} ({best}), " in said
    assert "error -3 of the model" in said
    assert said.count("not a list of token ids") == 2
    assert "selftest, benchmark" in said
    handler.close_transport()
    with project_session(handler, {}, "validation", 20.0) as session:
        assert isinstance(session, ProjectSession)
        for length in (1, 3, 8):
            some = [2, 7, 11, 4, 3, 1, 5, 6][:length]
            answer = session.infer(some)
            assert answer.logits.tobytes() == model.reference.run(some).tobytes()
            assert answer.instructions
        assert 0 < session.stack_used() <= session.stack_size
    with project_session(handler, {}, "validation-profile", 20.0) as session:
        steps = session.profile(ids)
        assert len(steps) == len(model.report["steps"])
        assert all(steps)


def read_until(handler: object, prompts: int) -> str:
    said = b""
    while said.count(b"> ") < prompts:
        said += handler.read_transport(4096, 10.0)  # type: ignore[attr-defined]
    return said.decode()


def test_another_model_on_the_device_is_found_out(built: Path) -> None:
    handler = open_project(built)
    handler.open_transport({"program": "validation"})
    device = handler.device("open_transport", {"program": "validation"})
    known = device.archive
    other = replace(known, files={**known.files, "more": b"x"})
    with pytest.raises(DeviceError, match="another model"):
        ProjectSession(handler, replace(device, archive=other), 10.0)


def test_a_board_at_a_serial_port_is_flashed(tmp_path: Path) -> None:
    """QEMU behind a pseudo-terminal is the board; its file has addresses and a command."""
    target, flashed = load_target(BOARD), tmp_path / "board.elf"
    emulator = target.core.emulator
    assert emulator is not None
    assert target.serial is not None
    regions = {name: getattr(emulator, name) for name in ("vectors", "code", "data")}
    own = {"flash": f"cp {{elf}} {flashed}", "port": "/dev/none", "counter": "dwt"}
    serial = replace(target.serial, **regions, **own, core_hz=25_000_000)
    made = replace(lowered(BOARD), target=replace(target, name="desk", serial=serial))
    tvm_embbert.build(made, tmp_path / "out", measure=False)
    handler = TemplateHandler(load_template(template_folder("cmake")))
    handler.generate_project(tmp_path / "out/model.tar", None, tmp_path / "p", {})
    build(tmp_path / "p", "gcc")
    with pytest.raises(DeviceError, match="cannot be opened"):
        handler.open_transport({})
    handler.flash({"program": "validation"})
    ids = [2, 7, 11]
    expected = CompiledModel(tmp_path / "out").reference.run(ids)
    with (
        serial_board(emulator, flashed) as board,
        project_session(handler, {"port": board.port}, "validation", 20.0) as session,
    ):
        answer = session.infer(ids)
    assert answer.logits.tobytes() == expected.tobytes()
    assert flashed.read_bytes() == (tmp_path / "p/build/gcc/validation.elf").read_bytes()


def test_benchmark_and_json(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--option", "program=benchmark", "--json"]
    assert cli.main(["project", "monitor", str(built), *options]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["program"] == "benchmark"
    assert [line.split()[0] for line in told["lines"][:-1]] == ["4", "8"]
    assert all(line.endswith(" instructions") for line in told["lines"][:-1])


def test_what_fails_to_build_says_where(create: Create) -> None:
    project = create("cmake", BOARD)
    (project / "app/app_run.c").write_text("#error stop here\n")
    handler = open_project(project)
    with pytest.raises(ToolchainError, match="stop here") as error:
        handler.build({})
    assert "tvm_embbert_build.log" in error.value.hint


def test_a_device_without_addresses_runs_on_its_cores_board(
    create: Create, capsys: pytest.CaptureFixture[str]
) -> None:
    project = create("cmake", "nrf52840")
    assert "tells no addresses" in (project / "README.md").read_text()
    build(project, "gcc", "selftest")
    assert selftest(project, "gcc", capsys) == 0
