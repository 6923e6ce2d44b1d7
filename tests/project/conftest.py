"""Projects of the small model, linked once a device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from archives import lowered

import tvm_embbert
from tvm_embbert.project.handler import TemplateHandler
from tvm_embbert.project.template_file import load_template, template_folder

HOST = "host"
"""This machine, for which a model needs no other compiler."""


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that compiles the small model for a device, once."""
    made: dict[str, Path] = {}

    def compile_for(device: str) -> Path:
        if device not in made:
            made[device] = tmp_path_factory.mktemp("small") / device
            tvm_embbert.build(lowered(device), made[device], measure=False)
        return made[device]

    return compile_for


@pytest.fixture
def create(compiled: Callable[[str], Path], tmp_path: Path) -> Callable[..., Path]:
    """Return a function that makes a project of a template, with its options."""

    def make(template: str, device: str = HOST, **options: Any) -> Path:
        folder = tmp_path / f"{template}-{device}"
        handler = TemplateHandler(load_template(template_folder(template)))
        handler.generate_project(compiled(device) / "model.tar", None, folder, options)
        return folder

    return make
