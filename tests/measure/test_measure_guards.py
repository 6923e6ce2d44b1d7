"""Debug builds: one byte beside a pool, a few below the stack, or undefined behaviour is told."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tvm_embbert.errors import DeviceError
from tvm_embbert.measure import (
    EmulatorSession,
    HostSession,
    build_image,
    build_library,
    memory_use,
)
from tvm_embbert.measure.guards import GUARD_BYTES, GuardedPool
from tvm_embbert.target_file import load_target

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
TIMEOUT_S = 20.0
WRITE, ADD = 900, 901
POOLS = (("dtcm", 203), ("sram", 1000))
ALIGNMENT = 32

OVERRUNS = [
    (pool, offset, f"{side} of the memory pool '{name}'")
    for pool, (name, size) in enumerate(POOLS)
    for offset, side in (
        (-1, "before the start"),
        (-GUARD_BYTES, "before the start"),
        (size, "behind the end"),
        (size + GUARD_BYTES - 1, "behind the end"),
    )
]
WITHIN = [(pool, offset) for pool, (_, size) in enumerate(POOLS) for offset in (0, size - 1)]

ADDS_TOO_MUCH = """\
import sys
from pathlib import Path
from tvm_embbert.measure import HostSession
with HostSession(Path(sys.argv[1])) as session:
    print(session.infer([901, 2**31 - 1, int(sys.argv[2])]).code)
"""


@pytest.fixture(scope="module")
def tiled_library(tiled, tmp_path_factory):
    return build_library(tiled, tmp_path_factory.mktemp("tiled_plain"))


@pytest.fixture(scope="module")
def debug_library(tiled, tmp_path_factory):
    return build_library(tiled, tmp_path_factory.mktemp("tiled_debug"), debug=True)


@pytest.mark.emulator
@pytest.mark.parametrize("board", BOARDS)
def test_board_tells_a_byte_beside_a_pool(tiled_for, board):
    for pool, offset, text in OVERRUNS:
        session = EmulatorSession(tiled_for(board, debug=True), TIMEOUT_S)
        assert session.infer([1, 2, 3]).code == 0
        with pytest.raises(DeviceError, match=text):
            session.infer([WRITE, pool, offset])
        with pytest.raises(DeviceError, match="closed"):
            session.infer([1])


@pytest.mark.emulator
@pytest.mark.parametrize("board", BOARDS)
def test_board_lets_a_model_use_its_pools(tiled_for, board):
    with EmulatorSession(tiled_for(board, debug=True), TIMEOUT_S) as session:
        assert [session.infer([WRITE, *place]).code for place in WITHIN] == [0] * len(WITHIN)
        assert session.stack_used() <= tiled_for(board, debug=True).stack_bound.total


@pytest.mark.emulator
def test_plain_image_has_no_guards(tiled_for):
    with EmulatorSession(tiled_for(BOARD), TIMEOUT_S) as session:
        assert session.infer([WRITE, 0, POOLS[0][1]]).code == 0


@pytest.mark.emulator
@pytest.mark.parametrize("board", BOARDS)
def test_board_tells_a_stack_that_was_run_over(tiled, tiled_for, tmp_path, board):
    with EmulatorSession(tiled_for(board, debug=True), TIMEOUT_S) as session:
        session.infer([1, 2, 3])
        used = session.stack_used()
    less = build_image(
        tiled, load_target(board), tmp_path, stack_size=(used - 1) // 16 * 16, debug=True
    )
    with (
        EmulatorSession(less, TIMEOUT_S) as session,
        pytest.raises(DeviceError, match="before the start of the stack") as caught,
    ):
        session.infer([1, 2, 3])
    assert "larger stack" in caught.value.hint


@pytest.mark.emulator
def test_debug_image_is_the_same_image_with_guards(tiled_for):
    plain, debug = (memory_use(tiled_for(BOARD, debug=d).map_file) for d in (False, True))
    assert debug.flash.code == plain.flash.code
    assert debug.flash.weights == plain.flash.weights
    guards = 2 * GUARD_BYTES
    assert debug.ram.pools == {name: size + guards for name, size in plain.ram.pools.items()}
    image = tiled_for(BOARD, debug=True)
    assert image.elf.name == f"tiled-{BOARD}-debug.elf"
    assert image.stack_size == debug.ram.stack == image.stack_bound.total + GUARD_BYTES
    sections = subprocess.run(
        ["arm-none-eabi-size", "-A", str(image.elf)], check=True, capture_output=True, text=True
    )
    assert ".debug_info" in sections.stdout


@pytest.mark.host
@pytest.mark.parametrize("build", ["tiled_library", "debug_library"])
def test_host_tells_a_byte_beside_a_pool(request, build):
    library = request.getfixturevalue(build)
    for pool, offset, text in OVERRUNS:
        session = HostSession(library)
        assert session.infer([1, 2, 3]).code == 0
        with pytest.raises(DeviceError, match=text):
            session.infer([WRITE, pool, offset])
        with pytest.raises(DeviceError, match="closed"):
            session.infer([1])


@pytest.mark.host
def test_host_lets_a_model_use_its_pools(debug_library):
    with HostSession(debug_library) as session:
        assert [session.infer([WRITE, *place]).code for place in WITHIN] == [0] * len(WITHIN)


@pytest.mark.host
def test_undefined_behaviour_stops_a_debug_library(tiled_library, debug_library):
    def status(library, addend):
        command = [sys.executable, "-c", ADDS_TOO_MUCH, str(library), str(addend)]
        return subprocess.run(command, capture_output=True, check=False).returncode

    assert status(tiled_library, 1) == 0
    assert status(debug_library, 0) == 0
    assert -status(debug_library, 1) in (signal.SIGILL, signal.SIGTRAP)


@pytest.mark.parametrize("size", [1, 203, 4096])
@pytest.mark.parametrize("alignment", [1, 16, 32, 128])
def test_pool_lies_as_asked(size, alignment):
    pool = GuardedPool("sram", size, alignment)
    assert pool.address % alignment == 0
    pool.check()
