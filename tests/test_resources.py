"""Shipped files are found in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvm_embbert.errors import EmbBertError
from tvm_embbert.resources import schedules_folder, shipped_folder, targets_folder


@pytest.mark.parametrize("inside", ["package/_data", "."])
def test_resources_lie_in_the_wheel_or_beside_the_package(tmp_path: Path, inside: str) -> None:
    package = tmp_path / "package"
    for name in ("targets", "schedules"):
        folder = tmp_path / inside / name
        folder.mkdir(parents=True)
        assert shipped_folder(name, package) == folder


def test_wheel_goes_before_other_packages_folders(tmp_path: Path) -> None:
    inside = tmp_path / "package" / "_data" / "targets"
    inside.mkdir(parents=True)
    (tmp_path / "targets").mkdir()
    assert shipped_folder("targets", tmp_path / "package") == inside


def test_incomplete_installation(tmp_path: Path) -> None:
    with pytest.raises(EmbBertError, match="missing"):
        shipped_folder("targets", tmp_path / "package")


def test_both_folders_are_shipped() -> None:
    assert targets_folder().is_dir()
    assert schedules_folder().is_dir()
