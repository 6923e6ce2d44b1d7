"""Writing projects again: what the user changed stays, and nothing outside is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvm_embbert.errors import InputError, UsageError
from tvm_embbert.project.generate import check_folder, write_manifest, write_project
from tvm_embbert.project.manifest import MANIFEST, Manifest, digest, read_manifest

FIRST = {"README.md": b"one", "app/main.c": b"main", "model/m.c": b"model"}
LIBRARY = ["model"]


def hashes(files: dict[str, bytes]) -> dict[str, str]:
    return {name: digest(data) for name, data in files.items()}


def contents(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def test_a_new_project(tmp_path: Path) -> None:
    changes = write_project(tmp_path, FIRST, {}, LIBRARY)
    assert sorted(changes.added) == sorted(FIRST)
    assert contents(tmp_path) == FIRST


def test_nothing_happens_twice(tmp_path: Path) -> None:
    write_project(tmp_path, FIRST, {}, LIBRARY)
    times = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    changes = write_project(tmp_path, FIRST, hashes(FIRST), LIBRARY)
    assert not any(vars(changes).values())
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == times


def test_what_the_user_changed_is_kept(tmp_path: Path) -> None:
    write_project(tmp_path, FIRST, {}, LIBRARY)
    (tmp_path / "app/main.c").write_bytes(b"mine")
    (tmp_path / "app/more.c").write_bytes(b"more of mine")
    changes = write_project(tmp_path, FIRST, hashes(FIRST), LIBRARY)
    assert changes.kept == ["app/main.c"]
    assert not changes.beside
    changed = {**FIRST, "app/main.c": b"new main", "README.md": b"two"}
    changes = write_project(tmp_path, changed, hashes(FIRST), LIBRARY)
    assert (changes.updated, changes.beside) == (["README.md"], ["app/main.c"])
    assert contents(tmp_path) == {
        **FIRST,
        "README.md": b"two",
        "app/main.c": b"mine",
        "app/main.c.new": b"new main",
        "app/more.c": b"more of mine",
    }


def test_a_file_that_was_there_before_is_the_users(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"mine")
    changes = write_project(tmp_path, FIRST, {}, LIBRARY)
    assert (changes.kept, changes.beside) == (["README.md"], ["README.md"])
    assert (tmp_path / "README.md").read_bytes() == b"mine"


def test_the_library_stays_whole(tmp_path: Path) -> None:
    write_project(tmp_path, FIRST, {}, LIBRARY)
    (tmp_path / "model/m.c").write_bytes(b"mine")
    changes = write_project(tmp_path, FIRST, hashes(FIRST), LIBRARY)
    assert changes.set_aside == ["model/m.c"]
    assert (tmp_path / "model/m.c").read_bytes() == b"model"
    assert (tmp_path / "model/m.c.old").read_bytes() == b"mine"


def test_what_is_no_longer_made_goes_unless_it_was_changed(tmp_path: Path) -> None:
    write_project(tmp_path, FIRST, {}, LIBRARY)
    (tmp_path / "app/main.c").write_bytes(b"mine")
    changes = write_project(tmp_path, {"model/m.c": b"model"}, hashes(FIRST), LIBRARY)
    assert (changes.removed, changes.kept) == (["README.md"], ["app/main.c"])
    assert contents(tmp_path) == {"model/m.c": b"model", "app/main.c": b"mine"}


def test_a_run_that_was_cut_short_is_made_good(tmp_path: Path) -> None:
    write_project(tmp_path, FIRST, {}, LIBRARY)
    second = {**FIRST, "README.md": b"two", "app/main.c": b"new main"}
    (tmp_path / "README.md").write_bytes(b"two")  # as far as it got; the manifest is the old one
    changes = write_project(tmp_path, second, hashes(FIRST), LIBRARY)
    assert changes.updated == ["app/main.c"]
    assert contents(tmp_path) == second


@pytest.mark.parametrize("name", ["../out.c", "/tmp/out.c", "a/../../out.c", "link/out.c"])
def test_nothing_is_written_outside(tmp_path: Path, name: str) -> None:
    project, outside = tmp_path / "project", tmp_path / "outside"
    project.mkdir()
    outside.mkdir()
    (project / "link").symlink_to(outside)
    with pytest.raises(InputError, match="outside"):
        write_project(project, {"README.md": b"one", name: b"x"}, {}, LIBRARY)
    assert not (project / "README.md").exists()
    assert not list(outside.iterdir())


def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    check_folder(tmp_path)
    check_folder(tmp_path / "new")
    (tmp_path / "something").write_text("else")
    with pytest.raises(UsageError, match="something else"):
        check_folder(tmp_path)
    write_manifest(tmp_path, Manifest("cmake"), FIRST)
    check_folder(tmp_path)
    with pytest.raises(UsageError, match="something else"):
        check_folder(tmp_path / "something")


def test_the_manifest_comes_back(tmp_path: Path) -> None:
    write_manifest(tmp_path, Manifest("cmake", {"a": 1}, "m", "/c"), FIRST)
    assert read_manifest(tmp_path) == Manifest("cmake", {"a": 1}, "m", "/c", hashes(FIRST))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"version": 1, "else": 1}'])
def test_a_damaged_manifest(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(InputError, match="cannot be read"):
        read_manifest(tmp_path)


def test_no_project(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no project"):
        read_manifest(tmp_path)
