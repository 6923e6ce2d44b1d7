"""The hand-made models of these tests, and images of them for every emulated board."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tvm_embbert.measure import Image, ModelSources, build_image, build_library
from tvm_embbert.target_file import load_target

FAKE = Path(__file__).parent / "fake_model"
TILED = Path(__file__).parent / "tiled_model"

# Room for its ordinary calls: the stack of a model that calls itself has no bound.
STACK_SIZE = 1024

ImageMaker = Callable[..., Image]


@pytest.fixture(scope="session")
def model() -> ModelSources:
    sources = (FAKE / "src" / "fake.c", FAKE / "src" / "fake_weights.c")
    return ModelSources("fake", sources, FAKE / "include")


@pytest.fixture(scope="session")
def image_for(model: ModelSources, tmp_path_factory: pytest.TempPathFactory) -> ImageMaker:
    """Return a function that builds the image for a board, once for all tests."""
    folder = tmp_path_factory.mktemp("images")

    @cache
    def build(
        board: str, profile: bool = False, debug: bool = False, link: str = "semihosting"
    ) -> Image:
        return build_image(model, load_target(board), folder, profile, STACK_SIZE, debug, link)

    return build


@pytest.fixture(scope="session")
def tiled() -> ModelSources:
    sources = (TILED / "src" / "tiled.c", TILED / "src" / "tiled_weights.c")
    return ModelSources("tiled", sources, TILED / "include")


@pytest.fixture(scope="session")
def tiled_for(tiled: ModelSources, tmp_path_factory: pytest.TempPathFactory) -> ImageMaker:
    """Return a function that builds the image of the model with two pools, as `image_for`."""
    folder = tmp_path_factory.mktemp("tiled")

    @cache
    def build(
        board: str, profile: bool = False, debug: bool = False, link: str = "semihosting"
    ) -> Image:
        return build_image(tiled, load_target(board), folder, profile, debug=debug, link=link)

    return build


@pytest.fixture(scope="session")
def library(model: ModelSources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_library(model, tmp_path_factory.mktemp("library"))


@pytest.fixture
def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide all programs."""
    monkeypatch.setenv("PATH", str(tmp_path))
