"""Boards on a serial line, which are emulated: what they answer, on a good line and a bad one."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from serial_board import serial_board
from serial_harm import Harm

from tvm_embbert.errors import DeviceError, TargetError, UsageError
from tvm_embbert.measure import (
    EmulatorSession,
    Flasher,
    build_image,
    open_board,
    open_session,
)
from tvm_embbert.measure import packet as packets
from tvm_embbert.measure.sources import RUNTIME
from tvm_embbert.target_file import load_target

pytestmark = pytest.mark.emulator

ARM, RISCV = "mps2-an386", "virt-rv32"
BOARDS = (
    ARM,
    RISCV,
    "mps2-an385",
    "mps2-an500",
    "mps2-an505",
    "mps2-an521",
    "mps3-an547",
    "virt-rv32v",
)
SENTENCES = ([1, 2, 3], [5] * 256, [555, 1000], [], [7] * 300)
CRASH, HANG = 666, 777
TIMEOUT_S = 20.0


def outcome(answer):
    return answer.code, answer.logits.tobytes(), answer.instructions, answer.cycles


def on_board(image, harm=None):
    return serial_board(image.target.core.emulator, image.elf, harm)


def changed(target, **values):
    """Return the target with other values in its serial line."""
    return replace(target, serial=replace(target.serial, **values))


@pytest.fixture
def build(model, tmp_path):
    """Return a function that builds an image for a target."""

    def build_for(target, **options):
        return build_image(model, target, tmp_path / "image", stack_size=1024, **options)

    return build_for


@pytest.mark.parametrize("share", [0.0, 0.1])
@pytest.mark.parametrize("board", BOARDS[:2])
def test_answers_and_counts_are_those_of_the_emulator(image_for, board, share):
    with EmulatorSession(image_for(board), TIMEOUT_S) as session:
        expected = [outcome(session.infer(ids)) for ids in SENTENCES], session.info
    image, harm = image_for(board, link="serial"), Harm(share, 5)
    with on_board(image, harm) as device, open_board(image, device.port) as session:
        found = [outcome(session.infer(ids)) for ids in SENTENCES], session.info
        assert session.unit == "instructions"
        assert 0 < session.stack_used() <= image.stack_size
        for _ in range(20 if share else 0):
            session.infer([1] * 256)
    assert found == expected
    assert (harm.harmed > 10) == (share > 0)
    assert found[0][0][2] > 200_000


@pytest.mark.parametrize("board", BOARDS[2:])
def test_the_other_boards_answer(image_for, board):
    with EmulatorSession(image_for(board), TIMEOUT_S) as session:
        expected = outcome(session.infer([1, 2, 3]))
    image = image_for(board, link="serial")
    with on_board(image) as device, open_board(image, device.port) as session:
        assert outcome(session.infer([1, 2, 3])) == expected


@pytest.mark.parametrize("board", BOARDS[:2])
def test_profile_is_that_of_the_emulator(image_for, board):
    with EmulatorSession(image_for(board, profile=True), TIMEOUT_S) as session:
        expected = session.profile([1, 2, 3])
    image = image_for(board, profile=True, link="serial")
    with on_board(image, Harm(0.1, 6)) as device, open_board(image, device.port) as session:
        assert session.profile([1, 2, 3]) == expected
        with pytest.raises(UsageError, match="-1"):
            session.profile([])


@pytest.mark.parametrize("board", BOARDS[:2])
def test_a_crash_is_told_and_the_next_session_starts_the_board_again(image_for, board):
    image = image_for(board, link="serial")
    with on_board(image, Harm(0.1, 7)) as device:
        with open_board(image, device.port) as session:
            for _ in range(2):
                before = outcome(session.infer([1, 2, 3]))
        session = open_board(image, device.port)
        with pytest.raises(DeviceError, match="crashed in tvmgen_fake_infer"):
            session.infer([CRASH])
        with pytest.raises(DeviceError, match="closed"):
            session.infer([1])
        with open_board(image, device.port) as session:
            assert outcome(session.infer([1, 2, 3])) == before


def test_a_board_that_vanishes(image_for):
    image = image_for(ARM, link="serial")
    with on_board(image) as device:
        session = open_board(image, device.port, timeout_s=1.5)
        device.unplug()
        start = time.monotonic()
        with pytest.raises(DeviceError, match=r"did not answer within 1\.5 s") as caught:
            session.infer([1])
        assert time.monotonic() - start < 3.0
        assert device.port in caught.value.where
        with pytest.raises(DeviceError, match=r"did not answer within 0\.5 s"):
            open_board(image, device.port, timeout_s=0.5)


def test_a_board_that_hangs(image_for):
    image = image_for(ARM, link="serial")
    with on_board(image) as device:
        session = open_board(image, device.port, timeout_s=2.0)
        with pytest.raises(DeviceError, match="did not answer within 2 s"):
            session.infer([HANG])


def test_another_version_is_refused(image_for, monkeypatch):
    image = image_for(ARM, link="serial")
    with on_board(image) as device:
        monkeypatch.setattr(packets, "VERSION", 3)
        with pytest.raises(DeviceError, match="version 1 of the packets, this program version 3"):
            open_board(image, device.port)


def test_another_image_is_refused_or_flashed(image_for):
    image, other = image_for(ARM, link="serial"), image_for(ARM, profile=True, link="serial")
    with on_board(other) as device:
        with pytest.raises(DeviceError, match="does not run the image") as caught:
            open_board(image, device.port)
        assert "flash = " in caught.value.hint

        class Flash(Flasher):
            def flash(self, elf: Path) -> None:
                device.flash(elf)
                self.count += 1

        flasher = Flash("write {elf}", device.port)
        with open_board(image, device.port, flasher=flasher) as session:
            assert (session.flashes, session.infer([1]).code) == (1, 0)
        # What is there already is not flashed again.
        with open_board(image, device.port, flasher=flasher) as session:
            assert (session.flashes, flasher.count) == (0, 1)


def test_a_counter_that_stands_still(build):
    """QEMU has no DWT; the answers are right all the same."""
    target = changed(load_target(ARM), counter="dwt", core_hz=25_000_000)
    image = build(target, link="serial")
    with on_board(image) as device, open_board(image, device.port) as session:
        with pytest.warns(UserWarning, match="counter dwt stands still, so cycles are not"):
            answer = session.infer([1, 2, 3])
        assert outcome(answer)[0] == 0
        assert answer.logits[0] == 16
        assert (answer.instructions, answer.cycles, session.unit) == (None, None, "cycles")
    profiling = build(target, profile=True, link="serial")
    with (
        on_board(profiling) as device,
        open_board(profiling, device.port) as session,
        pytest.raises(DeviceError, match="stands still"),
    ):
        session.profile([1])


def test_cycles_are_told_from_instructions(build, image_for):
    """QEMU gives a cycle to each instruction."""
    with EmulatorSession(image_for(RISCV), TIMEOUT_S) as session:
        counted = session.infer([1, 2, 3]).instructions
    image = build(changed(load_target(RISCV), counter="mcycle"), link="serial")
    with on_board(image) as device, open_board(image, device.port) as session:
        answer = session.infer([1, 2, 3])
    assert (answer.instructions, answer.cycles, session.unit) == (None, counted, "cycles")


def test_a_counter_that_may_have_run_over(build, monkeypatch):
    """The counter itself cannot tell; its ticks here are those of another one."""
    image = build(load_target(ARM), link="serial")
    slow = changed(image.target, counter="dwt", core_hz=2**40)
    with (
        on_board(image) as device,
        open_board(replace(image, target=slow), device.port) as session,
        pytest.warns(UserWarning, match="dwt runs over after 0"),
    ):
        assert outcome(session.infer([1, 2, 3]))[2:] == (None, None)


@pytest.mark.parametrize(("board", "counter"), [(ARM, "mcycle"), (RISCV, "dwt")])
def test_counters_that_the_core_lacks(build, board, counter):
    target = changed(load_target(board), counter=counter, core_hz=1)
    with pytest.raises(TargetError, match="no counter"):
        build(target, link="serial")


def test_a_driver_of_ones_own(build, tmp_path):
    driver = tmp_path / "mine.c"
    text = (RUNTIME / "uart_cmsdk.c").read_text()
    driver.write_text(text.replace("HARNESS_UART_BASE", "0x40004000u"))
    image = build(changed(load_target(ARM), uart=str(driver), base=0, clock_hz=0), link="serial")
    with on_board(image) as device, open_board(image, device.port) as session:
        assert session.infer([1, 2, 3]).code == 0


def test_ports_that_do_not_open(image_for, tmp_path):
    image = image_for(ARM, link="serial")
    with pytest.raises(DeviceError, match="cannot be opened") as caught:
        open_board(image, str(tmp_path / "ttyNone"))
    assert "/dev/ttyACM0" in caught.value.hint
    with pytest.raises(UsageError, match="port is not given"):
        open_board(image)
    with pytest.raises(UsageError, match="for the emulator"):
        open_board(image_for(ARM), "/dev/null")
    with on_board(image) as device, open_board(image, device.port):
        with pytest.raises(DeviceError, match="cannot be opened") as caught:
            open_board(image, device.port)
        assert "Close the program" in caught.value.hint


def test_the_port_of_the_device_s_file(image_for):
    image = image_for(ARM, link="serial")
    with on_board(image) as device:
        own = replace(image, target=changed(image.target, port=device.port))
        with open_board(own) as session:
            assert session.infer([1]).code == 0


def test_images_for_the_emulator_and_for_a_board_are_told_apart(image_for):
    image = image_for(ARM)
    with open_session(image) as session:
        assert session.infer([1]).cycles is None
    assert image.elf != image_for(ARM, link="serial").elf


def test_the_same_sources_give_the_same_image(build, image_for, tmp_path):
    first, again = (build(load_target(ARM), link="serial").elf.read_bytes() for _ in range(2))
    assert first == again


def test_targets_without_a_serial_line(build):
    target = load_target(ARM)
    with pytest.raises(TargetError, match="no serial line"):
        build(replace(target, serial=None), link="serial")
    with pytest.raises(TargetError, match="no RAM to load"):
        build(changed(target, load_ram=None), link="load")
    with pytest.raises(TargetError, match="link is 'radio'"):
        build(target, link="radio")
