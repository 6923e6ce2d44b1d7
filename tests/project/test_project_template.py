"""Templates: those that ship, those of others, and descriptions that say what none can."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from tvm_embbert.errors import EmbBertError, InputError, UsageError
from tvm_embbert.project import template_file
from tvm_embbert.project.api import VERBS
from tvm_embbert.project.archive import read_archive
from tvm_embbert.project.options import checked
from tvm_embbert.project.render import Renderer, c_string, project_files
from tvm_embbert.project.server import SERVER_FILE
from tvm_embbert.project.template_file import known_templates, load_template, template_folder
from tvm_embbert.project.values import stack_size, template_values

BOARD = "mps2-an386"
LEAST = 'summary = "a test"\n[transport]\nkind = "none"\n'


def described(folder: Path, text: str = LEAST) -> Path:
    (folder / "files").mkdir(parents=True)
    (folder / "template.toml").write_text(text)
    return folder


@pytest.mark.parametrize("name", sorted(known_templates()))
def test_shipped_templates_are_whole(name: str) -> None:
    template = load_template(template_folder(name))
    assert template.name == name
    assert template.summary
    assert (template.folder / SERVER_FILE).is_file()
    assert any((template.folder / "files").glob("README.md*"))
    assert {"include", "source", "app"} <= set(template.layout)
    for option in template.options:
        assert option.help
        assert option.required or option.optional
        values = {option.name: option.default}
        if option.default is not None:
            for verb in VERBS:
                if verb in (option.required or ()) + (option.optional or ()):
                    checked([option], verb, values)


@pytest.mark.emulator
@pytest.mark.parametrize("name", sorted(known_templates()))
def test_projects_are_made_of_archives_alone(
    name: str, compiled: Callable[[str], Path], create: Callable[..., Path]
) -> None:
    project = create(name, BOARD)
    archive = read_archive(compiled(BOARD))
    template = load_template(template_folder(name))
    header = project / template.layout["include"] / "tvmgen_small.h"
    assert header.read_bytes() == archive.files["codegen/host/include/tvmgen_small.h"]
    for source in archive.below("codegen/host/src/"):
        assert (project / template.layout["source"] / source).is_file()
    text = (project / "README.md").read_text()
    assert f"{archive.report['memory']['ram']['arena']:,}" in text
    assert "{{" not in text


def test_entry_points_and_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = described(tmp_path / "mine")
    assert load_template(template_folder(str(folder))).name == "mine"
    (tmp_path / "made_of.py").write_text(f"FOLDER = {str(folder)!r}\n")
    monkeypatch.syspath_prepend(tmp_path)
    entries = [EntryPoint("theirs", "made_of:FOLDER", template_file.ENTRY_POINTS)]
    monkeypatch.setattr(template_file, "entry_points", lambda group: entries)
    assert template_folder("theirs") == folder
    broken = [EntryPoint("broken", "made_of:NOTHING", template_file.ENTRY_POINTS)]
    monkeypatch.setattr(template_file, "entry_points", lambda group: broken)
    with pytest.raises(InputError, match="'broken' cannot be loaded"):
        template_folder("cmake")


def test_an_unknown_template() -> None:
    with pytest.raises(UsageError, match="no template 'cmak'") as error:
        template_folder("cmak")
    assert "cmake" in error.value.supported


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "'transport' is missing"),
        ('[transport]\nkind = "none"', "'summary' is missing"),
        ('summary = "x"\n[transport]\nkind = "pigeon"', "pigeon"),
        (LEAST + '[layout]\nlibrary = "x"', "Unknown key 'library'"),
        (LEAST + "[build]\ncommands = [1]", "no list of lists"),
        (LEAST + '[[option]]\nname = "x"\nhelp = "y"\ntype = "float"', "float"),
        (LEAST + '[[option]]\nname = "x"\nhelp = "y"\noptional = ["paint"]', "paint"),
        (LEAST + '[[option]]\nname = "x"', "'help' is missing"),
        ("summary =", "cannot be read"),
    ],
)
def test_bad_descriptions(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(EmbBertError, match=told) as error:
        load_template(described(tmp_path / "bad", text))
    assert "template.toml" in error.value.where


def test_undefined_names_are_errors(tmp_path: Path) -> None:
    folder = described(tmp_path / "bad")
    (folder / "files" / "x.txt.j2").write_text("{{ nmae }}")
    with pytest.raises(InputError, match="'nmae' is undefined") as error:
        Renderer(folder, {"name": "m"}).folder(folder / "files")
    assert "x.txt.j2" in error.value.where


def test_names_and_empty_files(tmp_path: Path) -> None:
    folder = described(tmp_path / "good")
    files = folder / "files"
    (files / "__name__").mkdir()
    (files / "__name__" / "a.txt.j2").write_text("{{ name }}\n")
    (files / "none.txt.j2").write_text("{% if false %}text{% endif %}\n")
    (files / "raw.txt").write_text("{{ name }}")
    made = Renderer(folder, {"name": "m"}).folder(files)
    assert made == {"m/a.txt": b"m\n", "raw.txt": b"{{ name }}"}


@pytest.mark.parametrize(
    ("text", "literal"),
    [("a", '"a"'), ('"\\', '"\\"\\\\"'), ("é1", '"\\303\\2511"'), ("\x01", '"\\001"')],
)
def test_strings_of_c(text: str, literal: str) -> None:
    assert c_string(text) == literal


def test_stack_of_programs() -> None:
    assert stack_size({"memory": {"stack": {"bound": 448}}}) == 1472
    assert stack_size({"memory": {"stack": None}}) == 5120


@pytest.mark.emulator
def test_every_value_is_documented(compiled: Callable[[str], Path]) -> None:
    page = Path(__file__).parents[2] / "docs" / "projects.md"
    archive, template = (
        read_archive(compiled(BOARD)),
        load_template(template_folder("cmake")),
    )
    for name in template_values(archive, {}, template):
        assert f"`{name}`" in page.read_text()
    assert project_files(template, archive, template_values(archive, template_options(), template))


def template_options() -> dict[str, object]:
    options = load_template(template_folder("cmake")).options
    return dict(checked(options, "generate_project", {}))
