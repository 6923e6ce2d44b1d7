"""Several models in one image: each answers as it does alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from serial_board import serial_board

from tvm_embbert.errors import DeviceError, ToolchainError, UsageError
from tvm_embbert.measure import EmulatorSession, ModelSources, build_image, open_board
from tvm_embbert.measure.protocol import FrameType, error_of, pack_select
from tvm_embbert.target_file import load_target

pytestmark = pytest.mark.emulator

BOARDS = ("mps2-an386", "virt-rv32", "mps3-an547")
SENTENCES = ([1, 2, 3], [4] * 64, [])
TIMEOUT_S = 20.0


def twin_of(model: ModelSources, folder: Path, name: str, *changes: tuple[str, str]):
    """Return a model of another name, with some words of its sources changed."""
    shutil.copytree(model.include.parent, folder / name)
    for path in [p for p in (folder / name).rglob("*") if p.is_file()]:
        text = path.read_text()
        for old, new in (*changes, (model.name, name), (model.name.upper(), name.upper())):
            text = text.replace(old, new)
        path.with_name(path.name.replace(model.name, name)).write_text(text)
        path.unlink()
    sources = tuple(sorted((folder / name / "src").glob("*.c")))
    return ModelSources(name, sources, folder / name / "include")


@pytest.fixture(scope="module")
def larger(tiled, tmp_path_factory):
    """The model with a larger pool, other weights and longer steps."""
    changes = (
        ("SRAM_WORKSPACE_POOL_SIZE 1000", "SRAM_WORKSPACE_POOL_SIZE 3000"),
        ("TILED_LONG 1000u", "TILED_LONG 2000u"),
    )
    return twin_of(tiled, tmp_path_factory.mktemp("twin"), "larger", *changes)


def answers(session):
    return [session.infer(ids) for ids in SENTENCES]


def alike(found, alone):
    for one, other in zip(found, alone, strict=True):
        assert (one.code, one.logits.tobytes()) == (other.code, other.logits.tobytes())
        # The choice itself takes a few instructions.
        assert abs(one.instructions - other.instructions) < 40


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("link", ["semihosting", "serial"])
def test_each_answers_as_alone(tiled, larger, tmp_path, board, link):
    target = load_target(board)
    alone = []
    for model in (tiled, larger):
        with EmulatorSession(build_image(model, target, tmp_path), TIMEOUT_S) as session:
            alone.append((answers(session), session.info.arena_size))
    image = build_image(tiled, target, tmp_path, link=link, others=[larger])
    assert image.candidates == ("tiled", "larger")
    assert image.stack_bound is not None

    def check(session):
        alike(answers(session), alone[0][0])
        for index in (1, 0, 1):
            session.select(index)
            alike(answers(session), alone[index][0])
        assert session.info.arena_size >= alone[1][1]
        assert session.stack_used() <= image.stack_size
        with pytest.raises(UsageError, match="no candidate 2"):
            session.select(2)

    if link == "semihosting":
        with EmulatorSession(image, TIMEOUT_S) as session:
            check(session)
        return
    with (
        serial_board(target.core.emulator, image.elf) as device,
        open_board(image, device.port) as session,
    ):
        check(session)
    first, second = (one[0][0].instructions for one in alone)
    assert second > 1.4 * first


def test_the_image_itself_refuses_candidates_that_it_lacks(tiled, larger, tmp_path):
    image = build_image(tiled, load_target(BOARDS[0]), tmp_path, others=[larger])
    with EmulatorSession(image, TIMEOUT_S) as session:
        answer, payload = session._channel.exchange(pack_select(2), TIMEOUT_S)
        assert answer is FrameType.ERROR
        assert "no such candidate" in error_of(payload).what
    alone = build_image(tiled, load_target(BOARDS[0]), tmp_path)
    with EmulatorSession(alone, TIMEOUT_S) as session:
        session.select(0)
        with pytest.raises(UsageError, match="no candidate 1"):
            session.select(1)
        assert session.infer([1]).code == 0


def test_guards_of_several(tiled, larger, tmp_path):
    """A write behind the end of the shared place is found; it begins with the first pool."""
    image = build_image(
        tiled, load_target(BOARDS[0]), tmp_path, debug=True, stack_size=1024, others=[larger]
    )
    with EmulatorSession(image, TIMEOUT_S) as session:
        alike([session.infer([1, 2, 3])], [session.infer([1, 2, 3])])
        with pytest.raises(DeviceError, match="before the start of the memory pool 'candidates'"):
            session.infer([900, 0, -1])


def test_candidates_that_differ_in_kind(tiled, model, larger, tmp_path):
    target = load_target(BOARDS[0])
    with pytest.raises(ToolchainError, match="all candidates of an image take the same length"):
        build_image(tiled, target, tmp_path, others=[model])
    with pytest.raises(UsageError, match="same name: tiled, larger, tiled"):
        build_image(tiled, target, tmp_path, others=[larger, tiled])
