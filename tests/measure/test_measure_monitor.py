"""The monitor on emulated boards: it loads images into RAM, one after the other, and no others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from serial_board import serial_board
from serial_harm import Harm

from tvm_embbert.errors import DeviceError, TargetError, ToolchainError
from tvm_embbert.measure import (
    EmulatorSession,
    Flasher,
    build_image,
    build_monitor,
    open_board,
)
from tvm_embbert.measure.board_channel import BoardChannel
from tvm_embbert.measure.elf_sections import loaded_sections
from tvm_embbert.measure.protocol import (
    FrameType,
    error_of,
    pack,
    pack_check,
    pack_run,
    pack_write,
    unpack_header,
)
from tvm_embbert.measure.serial_line import SerialLine
from tvm_embbert.target import Region
from tvm_embbert.target_file import load_target

pytestmark = pytest.mark.emulator

BOARDS = (
    "mps2-an386",
    "virt-rv32",
    "mps2-an385",
    "mps2-an500",
    "mps2-an505",
    "mps2-an521",
    "mps3-an547",
    "virt-rv32v",
)
BOARD = BOARDS[0]
TIMEOUT_S = 20.0


@pytest.fixture(scope="module")
def monitors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("monitors")


def with_load_ram(target, region):
    return replace(target, serial=replace(target.serial, load_ram=region))


def on_monitor(board, folder, harm=None):
    target = load_target(board)
    return serial_board(target.core.emulator, build_monitor(target, folder), harm)


def infer_in_emulator(image):
    with EmulatorSession(image, TIMEOUT_S) as session:
        answer = session.infer([1, 2, 3])
    return answer.code, answer.logits.tobytes(), answer.instructions


@pytest.mark.parametrize("share", [0.0, 0.1])
@pytest.mark.parametrize("board", BOARDS[:2])
def test_two_programs_one_after_the_other(image_for, tiled_for, monitors, board, share):
    expected = [infer_in_emulator(make(board)) for make in (image_for, tiled_for)]
    images = [make(board, link="load") for make in (image_for, tiled_for)]
    with on_monitor(board, monitors, Harm(share, 8)) as device:
        for image, wanted in zip([*images, images[0]], [*expected, expected[0]], strict=True):
            with open_board(image, device.port) as session:
                answer = session.infer([1, 2, 3])
                assert session.flashes == 0
            assert (answer.code, answer.logits.tobytes(), answer.instructions) == wanted
    assert expected[0] != expected[1]


@pytest.mark.parametrize("board", BOARDS[2:])
def test_the_other_boards_load(tiled_for, monitors, board):
    expected = infer_in_emulator(tiled_for(board))
    image = tiled_for(board, link="load")
    with on_monitor(board, monitors) as device, open_board(image, device.port) as session:
        answer = session.infer([1, 2, 3])
    assert (answer.code, answer.logits.tobytes(), answer.instructions) == expected


@pytest.mark.parametrize("board", BOARDS[:2])
def test_a_program_that_crashed_gives_way_to_the_next(image_for, monitors, board):
    image = image_for(board, link="load")
    with on_monitor(board, monitors) as device:
        with open_board(image, device.port) as session, pytest.raises(DeviceError, match="crashed"):
            session.infer([666])
        with open_board(image, device.port) as session:
            np.testing.assert_array_equal(session.infer([1]).logits[:2], [11, 21])


@pytest.mark.parametrize("board", BOARDS[:2])
@pytest.mark.parametrize(("where", "size"), [("before", 4), ("end", 1), ("over", 8), ("far", 4)])
def test_nothing_is_written_outside_of_the_region(monitors, board, where, size):
    region = load_target(board).serial.load_ram
    starts = {"before": region.origin - 4, "end": region.end, "over": region.end - 4, "far": 0}
    with on_monitor(board, monitors) as device:
        channel = BoardChannel(SerialLine(device.port, 115200))
        start = starts[where]
        requests = [pack_write(start, bytes(size)), pack_check(start, size)]
        # "over" begins inside.
        for request in [*requests, *([pack_run(start)] if where != "over" else [])]:
            channel.begin(TIMEOUT_S)
            answer, payload = channel.exchange(request, TIMEOUT_S)
            assert answer is FrameType.ERROR
            assert "outside of the region" in error_of(payload).what
        channel.begin(TIMEOUT_S)
        request = pack_write(region.end - 4, b"last")
        assert channel.exchange(request, TIMEOUT_S)[0] is FrameType.WRITE
        channel.close()


@pytest.mark.parametrize("board", BOARDS[:2])
def test_what_is_there_is_not_sent_again(image_for, monitors, board, monkeypatch):
    sent, counts = [], []
    exchange = BoardChannel.exchange

    def noted(channel, request, timeout_s):
        sent.extend(kind for kind in [unpack_header(request[:12])[0]] if kind is FrameType.WRITE)
        return exchange(channel, request, timeout_s)

    monkeypatch.setattr(BoardChannel, "exchange", noted)
    image = image_for(board, link="load")
    with on_monitor(board, monitors) as device:
        for _ in range(2):
            with open_board(image, device.port) as session:
                assert session.infer([1, 2, 3]).logits[0] == 16
            counts.append(len(sent))
    # The second time at most the variables, which the first had changed.
    assert counts[0] == len(loaded_sections(image.elf))
    assert counts[1] <= counts[0] + 1


def test_requests_that_the_monitor_does_not_know(monitors):
    with on_monitor(BOARD, monitors) as device:
        channel = BoardChannel(SerialLine(device.port, 115200))
        for request, text in (
            (pack(FrameType.INFER, bytes(8)), "does not know the type"),
            (pack(FrameType.INFO), "damaged request"),
            (pack(FrameType.WRITE, bytes(7)), "damaged request"),
            (pack(FrameType.CHECK, bytes(12)), "damaged request"),
        ):
            channel.begin(TIMEOUT_S)
            answer, payload = channel.exchange(request, TIMEOUT_S)
            assert answer is FrameType.ERROR
            assert text in error_of(payload).what
        channel.close()


@pytest.mark.parametrize(("board", "origin"), [(BOARD, 0x4002_8000), ("virt-rv32", 0xF000_0000)])
def test_memory_that_is_not_there(model, tmp_path, board, origin):
    """On one board such accesses do nothing, on the other they crash the monitor."""
    target = with_load_ram(load_target(board), Region(origin, 2**20))
    image = build_image(model, target, tmp_path, stack_size=1024, link="load")
    monitor = build_monitor(target, tmp_path)
    with (
        serial_board(target.core.emulator, monitor) as device,
        pytest.raises(DeviceError, match="memory does not hold"),
    ):
        open_board(image, device.port)


def test_a_board_without_the_monitor(image_for, monitors):
    other, image = image_for(BOARD, link="serial"), image_for(BOARD, link="load")
    with serial_board(load_target(BOARD).core.emulator, other.elf) as device:
        with pytest.raises(DeviceError, match="does not run the monitor"):
            open_board(image, device.port)

        class Flash(Flasher):
            def flash(self, elf: Path) -> None:
                assert elf.name == f"monitor-{BOARD}.elf"
                device.flash(elf)
                self.count += 1

        flasher = Flash("write {elf}", device.port)
        for flashes in (1, 0):
            with open_board(image, device.port, flasher=flasher) as session:
                assert (session.flashes, session.infer([1]).code) == (flashes, 0)
        assert flasher.count == 1


def test_the_monitor_keeps_out_of_the_region_it_loads_to(tmp_path):
    target = load_target(BOARD)
    data = target.core.emulator.data
    shared = with_load_ram(target, Region(data.origin + 8192, data.length - 8192))
    sections = loaded_sections(build_monitor(shared, tmp_path))
    assert sections
    assert all(section.address < data.origin for section in sections)
    with pytest.raises(TargetError, match="leaves 1024 bytes of data"):
        build_monitor(with_load_ram(target, Region(data.origin + 1024, 8192)), tmp_path)


def test_an_image_that_the_region_does_not_hold(model, tmp_path):
    target = with_load_ram(load_target(BOARD), Region(0x2100_0000, 4096))
    with pytest.raises(ToolchainError, match="overflowed"):
        build_image(model, target, tmp_path, stack_size=1024, link="load")


def test_only_bytes_of_the_image_are_sent(image_for):
    image = image_for(BOARD, link="load")
    sections = loaded_sections(image.elf)
    assert sections[0].address == load_target(BOARD).serial.load_ram.origin
    # The arena of 128 KiB has room in RAM, but no bytes.
    assert 2000 < sum(len(section.data) for section in sections) < 16000


def test_a_file_that_is_no_image(tmp_path):
    path = tmp_path / "image.elf"
    for content in (b"", b"\x7fELF\x01\x01", b"\x7fELF\x02\x01" + bytes(60)):
        path.write_bytes(content)
        with pytest.raises(ToolchainError, match="cannot be read"):
            loaded_sections(path)
