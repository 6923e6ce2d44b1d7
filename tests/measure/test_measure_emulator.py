"""Images on every emulated board: they boot, answer and count right, again and again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tvm_embbert.errors import DeviceError, TargetError, ToolchainError, UsageError
from tvm_embbert.measure import EmulatorSession, ModelSources, build_image, open_session
from tvm_embbert.target_file import load_target

pytestmark = pytest.mark.emulator

BOARDS = (
    "mps2-an385",
    "mps2-an386",
    "mps2-an500",
    "mps2-an505",
    "mps2-an521",
    "mps3-an547",
    "virt-rv32",
    "virt-rv32v",
)
BOARD = BOARDS[1]

LOOP, CRASH, HANG, OVERFLOW, DIVIDE = 555, 666, 777, 888, 999
WEIGHTS = np.array([10, 20, 30, 40, 50, 60, 70], np.int16)
TURNS = 10_000_000
FAULTS = {
    "arm-none-eabi": ("BusFault", "PRECISERR"),
    "riscv64-unknown-elf": ("load access fault", "data read from"),
}
TIMEOUT_S = 20.0


def count_loop(image):
    """Instructions of a call that runs the loop of two instructions, less those around it."""
    with EmulatorSession(image, TIMEOUT_S) as session:
        counts = [session.infer([LOOP, turns]).instructions for turns in (TURNS, TURNS, 0)]
    return counts[0] - counts[2], counts


@pytest.mark.parametrize("board", BOARDS)
def test_answers(image_for, board):
    with open_session(image_for(board), TIMEOUT_S) as session:
        answer = session.infer([1, 2, 3])
    assert (answer.code, answer.logits.dtype) == (0, np.int16)
    np.testing.assert_array_equal(answer.logits, WEIGHTS + 6)


@pytest.mark.parametrize("board", BOARDS)
def test_counts_a_known_loop_and_repeats_exactly(image_for, board):
    first, counts = count_loop(image_for(board))
    again, counts_again = count_loop(image_for(board))
    assert first == pytest.approx(2 * TURNS, rel=1e-4)
    assert counts == counts_again
    assert counts[0] == counts[1]
    assert again == first


@pytest.mark.parametrize("board", BOARDS[-2:])
def test_the_core_s_own_counter_is_exact(image_for, board):
    with EmulatorSession(image_for(board), TIMEOUT_S) as session:
        counts = [session.infer([LOOP, turns]).instructions for turns in (1, 2, 1001, TURNS)]
    assert [count - counts[0] for count in counts[1:]] == [2, 2000, 2 * (TURNS - 1)]


@pytest.mark.parametrize("board", BOARDS)
def test_wrong_lengths_reach_the_model(image_for, board):
    with EmulatorSession(image_for(board), TIMEOUT_S) as session:
        codes = [session.infer([]).code, session.infer([1] * 300).code]
        codes += [session.infer([1, 2], length=length).code for length in (-7, 257, 2**31 - 1)]
        # One that the model takes: the ids beyond those sent are left from before.
        assert session.infer([5] * 256).code == 0
    assert codes == [-1] * 5


@pytest.mark.parametrize("board", BOARDS)
def test_profile_tells_the_steps(image_for, board):
    with EmulatorSession(image_for(board, profile=True), TIMEOUT_S) as session:
        steps = session.profile([1, 2, 3])
        total = session.infer([1, 2, 3]).instructions
        assert session.profile([1, 2, 3]) == steps
        with pytest.raises(UsageError, match="-1"):
            session.profile([])
    assert len(steps) == 3
    assert steps[1] == pytest.approx(200_000, rel=1e-3)
    assert sum(steps) == pytest.approx(total, rel=1e-3)


@pytest.mark.parametrize("board", BOARDS)
def test_crash_gives_the_registers(image_for, board):
    session = EmulatorSession(image_for(board), TIMEOUT_S)
    with pytest.raises(DeviceError) as caught:
        session.infer([CRASH])
    assert "tvmgen_fake_infer" in caught.value.what
    fault = FAULTS[load_target(board).core.toolchain]
    assert f"{fault[0]} at address 0xf0000000: {fault[1]}" in caught.value.what
    assert "pc=0x" in caught.value.where
    with pytest.raises(DeviceError, match="closed"):
        session.infer([1])


@pytest.mark.parametrize("board", BOARDS)
def test_stack_overflow_is_told(image_for, board):
    with (
        EmulatorSession(image_for(board), TIMEOUT_S) as session,
        pytest.raises(DeviceError, match=r"STKOF|MSTKERR|stack overflow") as caught,
    ):
        session.infer([OVERFLOW])
    assert "larger stack" in caught.value.hint


def test_division_by_zero_is_told(image_for):
    with (
        EmulatorSession(image_for(BOARD), TIMEOUT_S) as session,
        pytest.raises(DeviceError, match="DIVBYZERO"),
    ):
        session.infer([DIVIDE])


def test_hang_ends_with_the_time_out(image_for):
    session = EmulatorSession(image_for(BOARD), timeout_s=0.7)
    child = session._channel._child
    with pytest.raises(DeviceError, match=r"hung.* 0\.7 s"):
        session.infer([HANG])
    assert child.poll() is not None


def test_many_requests_in_one_session(image_for):
    rng = np.random.default_rng(1)
    with EmulatorSession(image_for(BOARD), TIMEOUT_S) as session:
        assert session.info.max_length == 256
        assert session.info.num_outputs == 7
        assert session.info.arena_size == 131072
        for length in (1, 2, 17, 255, 256) * 10:
            ids = rng.integers(0, 80, length)
            np.testing.assert_array_equal(session.infer(ids).logits, WEIGHTS + ids.sum())


def test_stack_grows_with_use(image_for):
    image = image_for(BOARD)
    with EmulatorSession(image, TIMEOUT_S) as session:
        before = session.stack_used()
        session.infer([1])
        assert 0 < before <= session.stack_used() < image.stack_size


def test_close_leaves_nothing(image_for):
    session = EmulatorSession(image_for(BOARD), TIMEOUT_S)
    child, folder = session._channel._child, session._channel._folder
    assert folder.is_dir()
    session.close()
    session.close()
    assert child.returncode == 0
    assert not folder.exists()


def test_killed_emulator(image_for):
    with EmulatorSession(image_for(BOARD), TIMEOUT_S) as session:
        session._channel._child.kill()
        with pytest.raises(DeviceError, match="ended early with status -9"):
            session.infer([1])


def test_emulator_that_ends_at_once(image_for):
    image = image_for(BOARD)
    with pytest.raises(DeviceError, match=r"(?s)ended early.*unsupported machine type"):
        EmulatorSession(changed(image, machine="no-such-board"), TIMEOUT_S)


def test_counter_that_runs_over(image_for):
    image = changed(image_for(BOARD), icount_shift=10)
    with (
        EmulatorSession(image, TIMEOUT_S) as session,
        pytest.raises(DeviceError, match="counter ran over"),
    ):
        session.infer([LOOP, 90_000_000])


def test_profile_needs_a_profiling_image(image_for):
    with EmulatorSession(image_for(BOARD), TIMEOUT_S) as session:
        with pytest.raises(UsageError, match="cannot profile"):
            session.profile([1])
        assert session.infer([1]).code == 0


@pytest.mark.parametrize(
    ("board", "compiler", "library", "emulator", "package"),
    [
        (BOARD, "arm-none-eabi", "libnewlib", "qemu-system-arm", "qemu-system-arm"),
        ("virt-rv32", "riscv64-unknown-elf", "picolibc", "qemu-system-riscv32", "qemu-system-misc"),
    ],
)
@pytest.mark.usefixtures("empty_path")
def test_missing_programs(
    model, image_for, monkeypatch, tmp_path, board, compiler, library, emulator, package
):
    with pytest.raises(ToolchainError, match=f"{compiler}-gcc") as caught:
        build_image(model, load_target(board), tmp_path)
    assert f"gcc-{compiler} and {library}-{compiler}" in caught.value.hint
    monkeypatch.undo()
    image = image_for(board)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolchainError, match=emulator) as caught:
        EmulatorSession(image, TIMEOUT_S)
    assert f"Debian: {package}" in caught.value.hint


def test_missing_image(image_for):
    image = replace(image_for(BOARD), elf=Path("nowhere.elf"))
    with pytest.raises(ToolchainError, match="missing"):
        EmulatorSession(image, TIMEOUT_S)


@pytest.mark.parametrize("debug", [False, True])
def test_same_input_gives_the_same_bytes(model, image_for, tmp_path, debug):
    copies = []
    for source in model.sources:
        copies.append(tmp_path / "other" / source.name)
        copies[-1].parent.mkdir(exist_ok=True)
        copies[-1].write_bytes(source.read_bytes())
        header = source.parent / "fake_parts.h"
        (tmp_path / "other" / "fake_parts.h").write_bytes(header.read_bytes())
    include = tmp_path / "headers"
    include.mkdir()
    (include / "tvmgen_fake.h").write_bytes((model.include / "tvmgen_fake.h").read_bytes())
    moved = ModelSources("fake", tuple(copies), include)
    target, size = load_target(BOARD), image_for(BOARD).stack_size
    image = build_image(moved, target, tmp_path / "out", stack_size=size, debug=debug)
    first = image_for(BOARD, debug=debug)
    assert image.elf.read_bytes() == first.elf.read_bytes()
    assert sorted(path.suffix for path in (tmp_path / "out").iterdir()) == [".elf", ".map"]


def test_compiler_error_is_quoted(model, tmp_path):
    broken = tmp_path / "broken.c"
    broken.write_text("int narrow(long long wide) { return wide; }\n")
    with pytest.raises(ToolchainError, match=r"(?s)compile.*conversion") as caught:
        build_image(
            ModelSources("fake", (broken,), model.include), load_target(BOARD), tmp_path / "out"
        )
    assert "broken.c" in caught.value.what
    assert list((tmp_path / "out").iterdir()) == []


def test_target_without_emulator(model, tmp_path):
    target = load_target(BOARD)
    bare = replace(target, core=replace(target.core, emulator=None))
    with pytest.raises(TargetError, match="no emulator"):
        build_image(model, bare, tmp_path)


def changed(image, **fields):
    """Return the image with other values in its target's emulator."""
    core = image.target.core
    core = replace(core, emulator=replace(core.emulator, **fields))
    return replace(image, target=replace(image.target, core=core))
