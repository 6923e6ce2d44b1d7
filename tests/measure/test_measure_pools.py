"""Several memory pools and constants that are copied to RAM, on boards, here and in figures."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from tvm_embbert.measure import EmulatorSession, HostSession, build_library, memory_use
from tvm_embbert.measure.map_file import RAM_SECTIONS

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

WEIGHTS = np.array([100, 200, 300], np.int16)
POOLS = {"dtcm": 203, "sram": 1000}
ALIGNMENT = 32
TIMEOUT_S = 20.0


@pytest.fixture(scope="module")
def tiled_library(tiled, tmp_path_factory):
    return build_library(tiled, tmp_path_factory.mktemp("tiled_library"))


@pytest.mark.emulator
@pytest.mark.parametrize("board", BOARDS)
def test_board_gives_every_pool(tiled_for, board):
    with EmulatorSession(tiled_for(board), TIMEOUT_S) as session:
        answer = session.infer([1, 2, 3])
        assert session.info.arena_size == sum(POOLS.values())
    # The weights come from RAM: the start copied them.
    assert answer.code == 0
    np.testing.assert_array_equal(answer.logits, WEIGHTS + 6)


@pytest.mark.host
def test_host_gives_every_pool(tiled_library):
    with HostSession(tiled_library) as session:
        assert session.info.arena_size == sum(POOLS.values())
        answer = session.infer([1, 2, 3])
        assert session.infer([1], arena_size=POOLS["dtcm"] - 1).code == -10
        assert session.infer([1], arena_size=POOLS["dtcm"]).code == 0
    assert answer.code == 0
    np.testing.assert_array_equal(answer.logits, WEIGHTS + 6)


@pytest.mark.emulator
@pytest.mark.parametrize("board", BOARDS)
def test_pools_equal_the_symbols(tiled_for, board):
    image = tiled_for(board)
    use, symbols = memory_use(image.map_file), symbols_of(image)
    assert use.ram.pools == POOLS
    assert {f"arena_{name}": size for name, size in use.ram.pools.items()}.items() <= {
        (name, size) for name, (_, size) in symbols.items()
    }
    starts = sorted((symbols[f"arena_{name}"][0], size) for name, size in POOLS.items())
    (first, first_size), (second, second_size) = starts
    assert first % ALIGNMENT == second % ALIGNMENT == 0
    padding = second - first - first_size
    assert 0 <= padding < ALIGNMENT
    assert use.ram.arena == first_size + padding + second_size


@pytest.mark.emulator
@pytest.mark.parametrize("board", BOARDS)
def test_weights_in_ram_are_counted_in_both_memories(tiled_for, board):
    image = tiled_for(board)
    use, symbols = memory_use(image.map_file), symbols_of(image)
    address, size = symbols["tiled_weights"]
    start, end = symbols["__data_start"][0], symbols["__data_end"][0]
    assert start <= address < end
    assert use.ram.weights == size == 3 * 2
    assert use.flash.weights == size + symbols["tiled_offsets"][1]
    sections = sections_of(image)
    assert use.ram.static == sections[".data"] + sections[".bss"] - size
    assert use.ram.total == sum(sections[name] for name in RAM_SECTIONS)


def symbols_of(image):
    """Addresses and sizes (0 if it has none) of an ELF file's symbols."""
    rows = [line.split() for line in tool("nm", "-S", image).splitlines()]
    return {row[-1]: (int(row[0], 16), int(row[1], 16) if len(row) == 4 else 0) for row in rows}


def sections_of(image):
    rows = [line.split() for line in tool("size", "-A", image).splitlines()]
    return {row[0]: int(row[1]) for row in rows if row and row[0].startswith(".")}


def tool(name, option, image):
    """What a program of the image's own binutils prints of it."""
    command = [f"{image.target.core.toolchain}-{name}", option, str(image.elf)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
