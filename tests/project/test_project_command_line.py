"""`tvm-embbert project` on the command line: what it prints, and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from test_project_api import SERVER

from tvm_embbert import cli
from tvm_embbert.project.server import SERVER_FILE

pytestmark = pytest.mark.emulator


def call(*arguments: object) -> int:
    return cli.main(["project", *(str(a) for a in arguments)])


def test_templates(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("templates") == 0
    assert "cmake: " in capsys.readouterr().out
    assert call("templates", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert "toolchain" in [option["name"] for option in rows["cmake"]["options"]]


def test_create_again(
    compiled: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project, source = tmp_path / "p", compiled("mps2-an386")
    create = ("create", project, "--from", source, "--template", "cmake")
    assert call(*create, "--json") == 0
    assert "README.md" in json.loads(capsys.readouterr().out)["added"]
    (project / "README.md").write_text("mine\n")
    assert call(*create, "--option", "toolchain=clang") == 0
    said = capsys.readouterr().out
    assert "kept, as you changed it: README.md" in said
    assert "0 files added" in said
    assert (project / "README.md").read_text() == "mine\n"
    assert json.loads((project / "tvm_embbert_project.json").read_text())["options"] == {
        "toolchain": "clang",
        "program": "classify",
        "port": None,
        "baud": None,
    }
    other = ("create", project, "--from", source, "--template", "cmsis-pack")
    assert call(*other) == 2
    assert "made of the template 'cmake'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["--template", "nothing"], 2, "There is no template 'nothing'"),
        (["--template", "cmake", "--option", "color=red"], 2, "no option 'color'"),
        (["--template", "cmake", "--option", "toolchain=tcc"], 2, "cannot be 'tcc'"),
        (["--template", "cmake", "--option", "toolchain"], 2, "no option a value"),
    ],
)
def test_bad_arguments(
    compiled: Callable[[str], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    told: str,
) -> None:
    source = compiled("mps2-an386")
    assert call("create", tmp_path / "p", "--from", source, *arguments) == status
    assert told in capsys.readouterr().err
    assert not (tmp_path / "p").exists()


def test_bad_sources(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    template = ("--template", "cmake")
    assert call("create", tmp_path / "p", "--from", tmp_path, *template) == 3
    assert "no model.tar" in capsys.readouterr().err
    (tmp_path / "bad.tar").write_bytes(b"no tar")
    assert call("create", tmp_path / "p", "--from", tmp_path / "bad.tar", *template) == 3
    assert "cannot be read" in capsys.readouterr().err
    assert call("build", tmp_path) == 3
    assert "holds no project" in capsys.readouterr().err


def test_no_command_to_flash(
    create: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("flash", create("cmake", "mps2-an386")) == 2
    assert "no command to flash" in capsys.readouterr().err


def test_no_bare_board(
    compiled: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = compiled("host")
    assert call("create", tmp_path / "p", "--from", source, "--template", "cmake") == 2
    assert "need a bare board" in capsys.readouterr().err
    assert not (tmp_path / "p").exists()


def test_a_template_with_a_server_of_its_own(
    compiled: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    template = tmp_path / "theirs"
    template.mkdir()
    (template / SERVER_FILE).write_text(SERVER.format(tests=str(Path(__file__).parent)))
    project, source = tmp_path / "p", compiled("mps2-an386")
    create = ("create", project, "--from", source, "--template", template)
    assert call(*create, "--option", "board=a") == 0
    archive, _, options = json.loads((project / "told.json").read_text())
    assert Path(archive) == source / "model.tar"
    assert options == {"board": "a"}
    assert call(*create) == 2
    assert "The folder exists" in capsys.readouterr().err
