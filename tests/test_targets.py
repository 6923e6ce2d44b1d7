"""Targets: the shipped files, files of others, and the error for every kind of mistake."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from tvm_embbert import target_file
from tvm_embbert.errors import TargetError
from tvm_embbert.resources import targets_folder
from tvm_embbert.target import Core, Emulator, Memory, Region, Target
from tvm_embbert.target_file import ENVIRONMENT, list_targets, load_target

DEVICE = """\
name = "mine"
description = "A board of one's own"
core = "cortex-m4"
[memory.flash]
size = "1 MiB"
access = "rx"
[memory.sram]
size = "256 KiB"
access = "rw"
[budget]
ram = "128 KiB"
"""

CORE = """\
name = "own-core"
isa = ["armv7e-m-dsp", "portable"]
toolchain = "arm-none-eabi"
flags = ["-mcpu=cortex-m4", "-mthumb"]
[emulator]
program = "qemu-system-arm"
machine = "mps2-an386"
icount_shift = 5
counter = "cmsdk-timer"
counter_base = 0x4000_0000
counter_hz = 25_000_000
vectors = { origin = 0, length = "1 KiB" }
code = { origin = 0x400, length = 0x1000 }
data = { origin = 0x2000_0000, length = "4 MiB" }
"""

REGION = Region(0, 16)
EMULATOR = Emulator("qemu", "board", 5, "cmsdk-timer", 0, 1, REGION, Region(16, 16), Region(32, 16))
SHIPPED = sorted(path.stem for path in targets_folder().glob("*.toml"))
SHIPPED_CORES = sorted(path.stem for path in (targets_folder() / "cores").glob("*.toml"))


@pytest.fixture(autouse=True)
def _no_folders_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setattr(target_file, "entry_points", lambda group: ())


def device(folder: Path, old: str = "", new: str = "", name: str = "mine") -> Path:
    """Write the device's file with ``old`` replaced by ``new``."""
    assert old in DEVICE
    path = folder / f"{name}.toml"
    path.write_text(DEVICE.replace(old, new, 1) if old else DEVICE)
    return path


def device_with_core(folder: Path, old: str = "", new: str = "") -> Path:
    """Write a device with a core of its own, in whose file ``old`` is replaced by ``new``."""
    assert old in CORE
    (folder / "cores").mkdir()
    (folder / "cores" / "own-core.toml").write_text(CORE.replace(old, new, 1) if old else CORE)
    return device(folder, '"cortex-m4"', '"own-core"')


def fails(path: Path | str) -> TargetError:
    """Load a target that must not load; its error must say everything a user needs."""
    with pytest.raises(TargetError) as caught:
        load_target(path)
    assert caught.value.what
    assert caught.value.where
    assert caught.value.supported
    return caught.value


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_target_loads(name: str) -> None:
    target = load_target(name)
    assert target.name == target.source.stem == name
    assert target.core.isa[-1] == "portable"
    pools = [pool.size for pool in target.pools]
    flashes = [memory.size for memory in target.memories if memory.access == "rx"]
    assert 0 < target.ram_budget <= sum(pools)
    assert 0 < target.flash_budget <= max(flashes)


def test_list_targets_returns_all_sorted() -> None:
    assert [target.name for target in list_targets()] == SHIPPED


def test_every_shipped_core_is_used_and_emulated() -> None:
    cores = {target.core.name: target.core for target in list_targets()}
    assert sorted(cores) == SHIPPED_CORES
    assert [name for name, core in cores.items() if core.emulator is None] == ["host"]


@pytest.mark.parametrize("name", [name for name in SHIPPED if name.startswith("mps")])
def test_emulated_board_fits_its_emulator(name: str) -> None:
    target = load_target(name)
    emulator = target.core.emulator
    assert emulator is not None
    assert emulator.machine == name
    assert [pool.name for pool in target.pools] == ["sram"]
    assert target.pools[0].size == emulator.data.length
    assert target.ram_budget <= emulator.data.length
    assert target.flash_budget <= emulator.code.length


def test_device_outside_the_repository_reuses_a_core(tmp_path: Path) -> None:
    target = load_target(device(tmp_path))
    assert target.core == load_target("nrf52840").core
    assert target.memories == (Memory("flash", 2**20, "rx"), Memory("sram", 2**18, "rw"))
    assert (target.ram_budget, target.flash_budget) == (2**17, 2**20)
    assert target.source == tmp_path / "mine.toml"


def test_device_brings_its_own_core(tmp_path: Path) -> None:
    core = load_target(device_with_core(tmp_path)).core
    assert core.name == "own-core"
    assert core.emulator is not None
    assert core.emulator.vectors == Region(0, 1024)


def test_own_core_goes_before_a_shipped_one_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "cores").mkdir()
    text = CORE.replace("own-core", "cortex-m4").replace("= 5", "= 7")
    (tmp_path / "cores" / "cortex-m4.toml").write_text(text)
    emulator = load_target(device(tmp_path)).core.emulator
    assert emulator is not None
    assert emulator.icount_shift == 7


def test_relative_path_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device_with_core(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert load_target("mine.toml").core.name == "own-core"


def test_name_in_search_folder(tmp_path: Path) -> None:
    device(tmp_path)
    assert load_target("mine", [tmp_path]).name == "mine"
    # The same folder twice is no ambiguity.
    assert "mine" in [target.name for target in list_targets([tmp_path, tmp_path])]


def test_name_in_environment_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device(tmp_path)
    monkeypatch.setenv(ENVIRONMENT, f"{targets_folder()}{os.pathsep}{os.pathsep}{tmp_path}")
    assert load_target("mine").name == "mine"


def test_name_in_entry_point_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device(tmp_path)
    (tmp_path / "vendor_boards.py").write_text(
        "import pathlib\nHERE = pathlib.Path(__file__).parent"
    )
    monkeypatch.syspath_prepend(tmp_path)
    entry = EntryPoint("vendor", "vendor_boards:HERE", target_file.GROUP)
    monkeypatch.setattr(target_file, "entry_points", lambda group: (entry,))
    assert load_target("mine").name == "mine"


def test_broken_entry_point_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("vendor", "no_such_module:HERE", target_file.GROUP)
    monkeypatch.setattr(target_file, "entry_points", lambda group: (entry,))
    assert "'vendor'" in fails("nrf52840").what


def test_missing_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "none"))
    error = fails("nrf52840")
    assert error.where == str(tmp_path / "none")
    assert ENVIRONMENT in error.what


def test_name_in_two_folders_is_ambiguous(tmp_path: Path) -> None:
    shutil.copy(targets_folder() / "nrf52840.toml", tmp_path)
    for call in (lambda: load_target("nrf52840", [tmp_path]), lambda: list_targets([tmp_path])):
        with pytest.raises(TargetError, match="2 files") as caught:
            call()
        assert str(tmp_path) in caught.value.where


def test_unknown_name_suggests_the_nearest() -> None:
    error = fails("nrf52841")
    assert error.hint == "Did you mean 'nrf52840'?"
    assert "stm32h743" in error.supported
    assert "zzz.toml" in fails("zzz").hint


def test_missing_file(tmp_path: Path) -> None:
    assert "none.toml" in fails(tmp_path / "none.toml").where


@pytest.mark.parametrize("content", [b"name =", b'name = "a"\nname = "b"', b"\xff\xfe"])
def test_file_that_is_no_toml(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    assert fails(path).where == str(path)


MISTAKES = {
    "unknown key": ("description =", "descriptoin =", "descriptoin", "'description'"),
    "unknown key in a memory": ("access =", "acces =", "memory.flash.acces", "'access'"),
    "unknown key in the budget": ("ram =", "rom =", "budget.rom", "'ram'"),
    "missing key": ('description = "A board of one\'s own"\n', "", "description", "Add"),
    "missing size": ('size = "1 MiB"\n', "", "memory.flash.size", "Add"),
    "name of another type": ('name = "mine"', "name = 1", "name", ""),
    "size of another type": ('"1 MiB"', "1.5", "memory.flash.size", ""),
    "size that is a truth value": ('"1 MiB"', "true", "memory.flash.size", ""),
    "memory is no table": ("[memory.flash]", "[memory]\nx = 1\n[memory.flash]", "memory.x", ""),
    "decimal unit": ('"1 MiB"', '"1 MB"', "memory.flash.size", "MiB"),
    "bare unit": ('"256 KiB"', '"256K"', "memory.sram.size", "KiB"),
    "misspelt unit": ('"256 KiB"', '"256 kib"', "memory.sram.size", "'KiB'"),
    "no unit": ('"256 KiB"', '"256"', "memory.sram.size", "unit"),
    "fraction": ('"1 MiB"', '"1.5 MiB"', "memory.flash.size", "whole number"),
    "empty memory": ('"1 MiB"', "0", "memory.flash.size", ""),
    "negative size": ('"1 MiB"', "-4", "memory.flash.size", ""),
    "invalid access": ('"rx"', '"rwx"', "memory.flash.access", "'rx'"),
    "no flash": ('"rx"', '"rw"', "memory", '"rx"'),
    "no RAM": ('"rw"', '"rx"', "memory", '"rw"'),
    "unknown core": ('"cortex-m4"', '"cortex-m44"', "core", "'cortex-m4'"),
    "another name than the file's": ('"mine"', '"yours"', "name", "Rename"),
    "name that is no identifier": ('[memory.sram]', '["memory"."S RAM"]', "memory.S RAM.name", ""),
    "budget beyond the memory": ('"128 KiB"', '"257 KiB"', "budget.ram", "Lower"),
    "budget of nothing": ('"128 KiB"', "0", "budget.ram", ""),
    "empty description": ('"A board of one\'s own"', '" "', "description", ""),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_in_a_device(tmp_path: Path, mistake: str) -> None:
    old, new, key, hint = MISTAKES[mistake]
    path = device(tmp_path, old, new)
    error = fails(path)
    assert error.where == f"{path}: {key}"
    assert hint in error.hint


def test_memory_described_twice(tmp_path: Path) -> None:
    assert str(tmp_path) in fails(device(tmp_path, "[memory.sram]", "[memory.flash]")).where


CORE_MISTAKES = {
    "unknown instruction set": ("armv7e-m-dsp", "armv7em-dsp", "isa", "'armv7e-m-dsp'"),
    "portable is not last": (
        '["armv7e-m-dsp", "portable"]', '["portable", "armv7e-m-dsp"]', "isa", "portable",
    ),
    "instruction set twice": ("armv7e-m-dsp", "portable", "isa", "portable"),
    "instruction set is no list": ('["armv7e-m-dsp", "portable"]', '"portable"', "isa", ""),
    "unknown toolchain": ('"arm-none-eabi"', '"arm-none-eabj"', "toolchain", "'arm-none-eabi'"),
    "host with an emulator": ('"arm-none-eabi"', '"host"', "emulator", "Remove"),
    "flags are no texts": ('"-mthumb"', "1", "flags", ""),
    "unknown counter": ('"cmsdk-timer"', '"dwt"', "emulator.counter", ""),
    "unknown key": ("machine", "machin", "emulator.machin", "'machine'"),
    "shift too large": ("= 5", "= 11", "emulator.icount_shift", ""),
    "shift of another type": ("= 5", '= "5"', "emulator.icount_shift", ""),
    "counter stands still": ("25_000_000", "0", "emulator.counter_hz", ""),
    "counter beyond 32 bits": ("0x4000_0000", "0x1_0000_0000", "emulator.counter_base", ""),
    "empty machine": ('"mps2-an386"', '""', "emulator.machine", ""),
    "region without end": (', length = "1 KiB"', "", "emulator.vectors.length", "Add"),
    "region beyond 32 bits": ("0x2000_0000", "0xFFFF_0000", "emulator.data.length", ""),
    "regions overlap": ('"1 KiB"', '"2 KiB"', "emulator.code", "vectors"),
    "another name than the file's": ('"own-core"', '"core"', "name", "Rename"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", CORE_MISTAKES)
def test_mistake_in_a_core(tmp_path: Path, mistake: str) -> None:
    old, new, key, hint = CORE_MISTAKES[mistake]
    error = fails(device_with_core(tmp_path, old, new))
    assert error.where == f"{tmp_path / 'cores' / 'own-core.toml'}: {key}"
    assert hint in error.hint


def test_classes_check_themselves() -> None:
    core = Core("host", ("portable",), "host", (), None)
    memories = (Memory("flash", 10, "rx"), Memory("ram", 10, "rw"))
    target = Target("own", "own", core, memories, 10, 10, Path("own.toml"))
    with pytest.raises(TargetError, match="twice"):
        replace(target, memories=(*memories, memories[0]))
    with pytest.raises(TargetError, match=re.escape("exceeds the largest memory")):
        replace(target, flash_budget=11)
    with pytest.raises(TargetError, match="overlap"):
        replace(EMULATOR, data=Region(8, 1))
