"""RISC-V cores and boards: what their files say, and the mistakes that can be made in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvm_embbert.errors import TargetError
from tvm_embbert.target_file import load_target
from tvm_embbert.target_json import target_from_json, target_to_json

BOARDS = ("virt-rv32", "virt-rv32v")
GUARD_SIZE = 0x8000

DEVICE = """\
name = "mine"
description = "A board of one's own"
core = "own-core"
[memory.flash]
size = "1 MiB"
access = "rx"
[memory.sram]
size = "256 KiB"
access = "rw"
"""

CORE = """\
name = "own-core"
isa = ["rv32-zve32x", "portable"]
toolchain = "riscv64-unknown-elf"
flags = ["-march=rv32imc_zicsr_zve32x", "-mabi=ilp32"]
[emulator]
program = "qemu-system-riscv32"
machine = "virt"
cpu = "rv32,v=true"
icount_shift = 0
counter = "minstret"
vectors = { origin = 0, length = "1 KiB" }
code = { origin = 0x400, length = 0x1000 }
data = { origin = 0x2000_0000, length = "4 MiB" }
"""


def device(folder: Path, old: str = "", new: str = "") -> Path:
    """Write a device and its core, in whose file ``old`` is replaced by ``new``."""
    assert old in CORE
    (folder / "cores").mkdir()
    (folder / "cores" / "own-core.toml").write_text(CORE.replace(old, new, 1) if old else CORE)
    (folder / "mine.toml").write_text(DEVICE)
    return folder / "mine.toml"


@pytest.mark.parametrize("name", BOARDS)
def test_board_fits_its_emulator(name: str) -> None:
    target = load_target(name)
    emulator = target.core.emulator
    assert emulator is not None
    assert target.ram_budget <= emulator.data.length
    assert target.flash_budget <= emulator.code.length
    # The guard of the stack lies between them.
    assert emulator.data.origin % GUARD_SIZE == 0
    assert emulator.code.end == emulator.data.origin - GUARD_SIZE


def test_guard_is_as_long_as_in_c() -> None:
    from tvm_embbert.measure.sources import RUNTIME

    text = (RUNTIME / "riscv" / "harness_stack_guard.h").read_text()
    assert f"#define STACK_GUARD_SIZE {GUARD_SIZE:#x}u" in text


def test_counter_in_the_core(tmp_path: Path) -> None:
    core = load_target(device(tmp_path)).core
    assert core.emulator is not None
    assert (core.emulator.counter_base, core.emulator.counter_hz) == (0, 1_000_000_000)
    assert core.emulator.cpu == "rv32,v=true"
    assert core.isa == ("rv32-zve32x", "portable")


@pytest.mark.parametrize("name", BOARDS)
def test_compiled_model_remembers_its_board(name: str) -> None:
    target = load_target(name)
    assert target_from_json(target_to_json(target), target.source) == target


MISTAKES = {
    "address": ('"minstret"', '"minstret"\ncounter_base = 0', "emulator.counter_base", "Remove"),
    "frequency": ('"minstret"', '"minstret"\ncounter_hz = 1', "emulator.counter_hz", "Remove"),
    "shift": ("shift = 0", "shift = 5", "emulator.icount_shift", "Correct"),
    "no address": ('"minstret"', '"system-counter"', "emulator.counter_base", "Add"),
    "empty cpu": ('"rv32,v=true"', '""', "emulator.cpu", "Fill in"),
    "instruction set": ("rv32-zve32x", "rv32-zve32", "isa", "'rv32-zve32x'"),
    "toolchain": ("riscv64-unknown", "riscv32-unknown", "toolchain", "'riscv64-unknown-elf'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_in_a_core(tmp_path: Path, mistake: str) -> None:
    old, new, key, hint = MISTAKES[mistake]
    path = device(tmp_path, old, new)
    with pytest.raises(TargetError) as caught:
        load_target(path)
    assert caught.value.where == f"{tmp_path / 'cores' / 'own-core.toml'}: {key}"
    assert hint in caught.value.hint
