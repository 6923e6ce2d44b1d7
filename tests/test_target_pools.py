"""Pools of a device: what its file may say, and how many bytes the arena gets of each."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tvm_embbert.errors import TargetError
from tvm_embbert.lowering import with_budget
from tvm_embbert.target import Core, Memory, Pool, Target
from tvm_embbert.target_file import list_targets, load_target
from tvm_embbert.target_json import target_from_json, target_to_json

KIB = 1024
DEVICE = """\
name = "mine"
description = "A board with memories of two speeds"
core = "cortex-m4"
[memory.flash]
size = "1 MiB"
access = "rx"
latency = 5
[memory.tcm-0]
size = "64 KiB"
access = "rw"
reach = ["cpu"]
[memory.sram]
size = "256 KiB"
access = "rw"
latency = 2
reach = ["cpu", "npu", "dma"]
[memory.backup]
size = "4 KiB"
access = "rw"
latency = 7
[arena]
pools = ["tcm-0", "sram"]
system = "tcm-0"
[weights]
memory = "flash"
"""
CORE = Core("host", ("portable",), "host", (), None)
FAST, SLOW = Memory("fast", 100, "rw"), Memory("slow", 300, "rw", 4)
MEMORIES = (Memory("flash", 1000, "rx"), FAST, SLOW)


def device(folder: Path, old: str = "", new: str = "") -> Path:
    """Write the device's file with ``old`` replaced by ``new``."""
    assert old in DEVICE
    path = folder / "mine.toml"
    path.write_text(DEVICE.replace(old, new, 1) if old else DEVICE)
    return path


def made(ram: int = 400, **fields: Any) -> Target:
    """Return a target of two pools, 100 bytes and 300, by hand."""
    given = {"arena": ("fast", "slow"), "memories": MEMORIES, **fields}
    given |= {"core": CORE, "ram_budget": ram, "flash_budget": 1000}
    return Target(name="own", description="own", source=Path("own.toml"), **given)


def test_file_with_all_keys(tmp_path: Path) -> None:
    target = load_target(device(tmp_path))
    assert target.pools == (
        Pool("tcm_0", "tcm-0", 64 * KIB, 1, ("cpu",)),
        Pool("sram", "sram", 256 * KIB, 2, ("cpu", "npu", "dma")),
    )
    assert target.memories[0] == Memory("flash", 2**20, "rx", 5, ("cpu", "dma"))
    assert target.system_memory == "tcm-0"
    assert (target.weights_memory, target.weights_copied) == ("flash", False)
    assert target.ram_budget == 320 * KIB
    assert target.arena_limits(8 * KIB) == {"tcm_0": 56 * KIB, "sram": 256 * KIB}


def test_file_without_an_arena(tmp_path: Path) -> None:
    """One pool in the largest RAM, which holds stack and static data, too; weights in flash."""
    table = DEVICE[DEVICE.index("[arena]") :]
    target = load_target(device(tmp_path, table, ""))
    assert target.pools == (Pool("sram", "sram", 256 * KIB, 2, ("cpu", "npu", "dma")),)
    assert (target.system_memory, target.weights_memory) == ("sram", "flash")
    assert target.ram_budget == 256 * KIB
    assert target.arena_limits(6 * KIB) == {"sram": 250 * KIB}


def test_system_memory_is_the_last_pools(tmp_path: Path) -> None:
    target = load_target(device(tmp_path, 'system = "tcm-0"\n', ""))
    assert target.system_memory == "sram"
    assert target.arena_limits(8 * KIB) == {"tcm_0": 64 * KIB, "sram": 248 * KIB}


def test_one_pool_lies_in_the_system_memory(tmp_path: Path) -> None:
    target = load_target(device(tmp_path, 'pools = ["tcm-0", "sram"]\n', ""))
    assert target.pools == (Pool("sram", "tcm-0", 64 * KIB, 1, ("cpu",)),)
    assert target.ram_budget == 64 * KIB


def test_weights_in_ram_are_copied(tmp_path: Path) -> None:
    target = load_target(device(tmp_path, 'memory = "flash"', 'memory = "sram"'))
    assert (target.weights_memory, target.weights_copied) == ("sram", True)


def test_largest_flash_holds_the_weights() -> None:
    memories = (*MEMORIES, Memory("qspi", 5000, "rx"))
    assert replace(made(), weights_memory="", memories=memories).weights_memory == "qspi"


MISTAKES = {
    "latency of nothing": ("latency = 2", "latency = 0", "memory.sram.latency", "1 or more"),
    "latency of another type": ("latency = 2", 'latency = "2"', "memory.sram.latency", "number"),
    "unknown bus master": ('["cpu"]', '["cpu", "dna"]', "memory.tcm-0.reach", "cpu, dma, npu"),
    "reach without the core": ('["cpu"]', '["dma"]', "memory.tcm-0.reach", "'cpu'"),
    "empty reach": ('["cpu"]', "[]", "memory.tcm-0.reach", "'cpu'"),
    "repeated bus master": ('["cpu"]', '["cpu", "cpu"]', "memory.tcm-0.reach", "once"),
    "reach is no list": ('["cpu"]', '"cpu"', "memory.tcm-0.reach", "a list of strings"),
    "unknown key in a memory": ("latency = 2", "latancy = 2", "memory.sram.latancy", "latency"),
    "unknown key in the arena": ("pools =", "pool =", "arena.pool", "pools, system"),
    "unknown key of the weights": ("memory =", "memry =", "weights.memry", "memory"),
    "missing key of the weights": ('memory = "flash"\n', "", "weights.memory", "a string"),
    "pools are no list": ('["tcm-0", "sram"]', '"sram"', "arena.pools", "a list of strings"),
    "no pool": ('["tcm-0", "sram"]', "[]", "arena.pools", '"rw"'),
    "unknown pool": ('"tcm-0", "sram"]', '"tcm-1", "sram"]', "arena.pools", "tcm-0, sram, backup"),
    "pool in flash": ('"tcm-0", "sram"]', '"flash"]', "arena.pools", ": tcm-0, sram, backup"),
    "pool twice": ('"tcm-0", "sram"]', '"sram", "sram"]', "arena.pools", "each memory once"),
    "slow before fast": ('"tcm-0", "sram"]', '"sram", "tcm-0"]', "arena.pools", "fastest first"),
    "unknown system": ('system = "tcm-0"', 'system = "tmc-0"', "arena.system", "tcm-0, sram"),
    "system in flash": ('system = "tcm-0"', 'system = "flash"', "arena.system", "tcm-0, sram"),
    "empty system": ('system = "tcm-0"', 'system = ""', "arena.system", "a text"),
    "unknown weights": ('memory = "flash"', 'memory = "flush"', "weights.memory", "flash, tcm-0"),
    "empty weights": ('memory = "flash"', 'memory = ""', "weights.memory", "a text"),
    "budget beyond the pools": ("[weights]", '[budget]\nram = "321 KiB"\n[weights]', "budget.ram",
                                "1 to 327680 bytes"),
    "budget of nothing": ("[weights]", "[budget]\nram = 0\n[weights]", "budget.ram", "1 or more"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_in_a_file(tmp_path: Path, mistake: str) -> None:
    old, new, key, supported = MISTAKES[mistake]
    path = device(tmp_path, old, new)
    with pytest.raises(TargetError) as caught:
        load_target(path)
    assert caught.value.where == f"{path}: {key}"
    assert supported in caught.value.supported
    assert caught.value.what
    assert caught.value.hint or caught.value.supported.startswith("a ")


HINTS = {
    "pool": ('"tcm-0", "sram"]', '"tcm-1", "sram"]', "Did you mean 'tcm-0'?"),
    "system": ('system = "tcm-0"', 'system = "tmc-0"', "Did you mean 'tcm-0'?"),
    "weights": ('memory = "flash"', 'memory = "flush"', "Did you mean 'flash'?"),
    "master": ('["cpu"]', '["cpu", "dna"]', "Did you mean 'dma'?"),
    "key": ("pools =", "pool =", "Did you mean 'pools'?"),
    "order": ('"tcm-0", "sram"]', '"sram", "tcm-0"]', "Put 'tcm-0' first"),
}


@pytest.mark.parametrize("mistake", HINTS)
def test_hint(tmp_path: Path, mistake: str) -> None:
    old, new, hint = HINTS[mistake]
    with pytest.raises(TargetError) as caught:
        load_target(device(tmp_path, old, new))
    assert hint in caught.value.hint


def test_pool_names_that_are_one_in_c() -> None:
    memories = (MEMORIES[0], Memory("a-b", 10, "rw"), Memory("a.b", 10, "rw"))
    with pytest.raises(TargetError, match="'a_b' in C"):
        made(20, arena=("a-b", "a.b"), memories=memories)


@pytest.mark.parametrize(("memory", "pool"), [("a-b.c", "a_b_c"), ("auto", "auto_")])
def test_name_of_a_pool_is_one_in_c(memory: str, pool: str) -> None:
    memories = (MEMORIES[0], Memory(memory, 10, "rw"))
    assert [p.name for p in made(10, arena=(memory,), memories=memories).pools] == [pool]


def test_memory_whose_name_begins_with_a_digit_is_no_pool() -> None:
    memories = (MEMORIES[0], Memory("0ram", 10, "rw"))
    with pytest.raises(TargetError, match="'0ram' begins with a digit"):
        made(10, arena=("0ram",), memories=memories)
    assert made(10, arena=(), memories=memories).pools[0].name == "sram"


def test_pools_of_one_latency_keep_their_order() -> None:
    memories = (MEMORIES[0], FAST, Memory("other", 10, "rw"))
    for arena in (("fast", "other"), ("other", "fast")):
        assert tuple(p.memory for p in made(110, arena=arena, memories=memories).pools) == arena


LIMITS = [
    # RAM budget, system memory, its bytes; what the arena gets of the 100 fast and 300 slow bytes.
    (400, "slow", 0, (100, 300)),
    (400, "slow", 40, (100, 260)),
    (400, "fast", 40, (60, 300)),
    (400, "fast", 100, (0, 300)),
    (399, "fast", 0, (100, 299)),
    (150, "slow", 40, (100, 10)),
    (150, "fast", 40, (60, 50)),
    (140, "slow", 40, (100, 0)),
    (100, "slow", 40, (60, 0)),
    (100, "fast", 40, (60, 0)),
    (40, "slow", 40, (0, 0)),
    (10, "fast", 40, (0, 0)),
    (400, "fast", 150, (0, 250)),
    (400, "slow", 350, (50, 0)),
]


@pytest.mark.parametrize(("budget", "system", "taken", "limits"), LIMITS)
def test_arena_limits(budget: int, system: str, taken: int, limits: tuple[int, int]) -> None:
    target = made(budget, system_memory=system)
    assert target.arena_limits(taken) == dict(zip(("fast", "slow"), limits, strict=True))


def test_arena_limits_are_sound_for_any_budget() -> None:
    for budget in range(1, 401, 7):
        for system in ("fast", "slow"):
            for taken in range(0, 120, 11):
                _check_limits(made(budget, system_memory=system), taken)


def _check_limits(target: Target, taken: int) -> None:
    limits = target.arena_limits(taken)
    free = {pool.name: target.pool_budget(pool, taken) for pool in target.pools}
    assert list(limits) == ["fast", "slow"]
    assert all(0 <= limits[name] <= free[name] for name in limits)
    assert sum(limits.values()) == max(0, min(sum(free.values()), target.ram_budget - taken))
    assert limits["slow"] == 0 or limits["fast"] == free["fast"], "the slow pool is cut first"


def test_system_memory_outside_the_pools_takes_nothing_of_them() -> None:
    target = made(100, arena=("fast",), system_memory="slow")
    assert target.pool_budget(target.pools[0], 40) == 100
    assert target.arena_limits(40) == {"fast": 100}
    assert replace(target, ram_budget=70).arena_limits(40) == {"fast": 70}


def test_ram_of_the_user_cuts_the_slow_pool() -> None:
    target = with_budget(made(), 250, None)
    assert target.arena_limits(20) == {"fast": 100, "slow": 130}
    with pytest.raises(TargetError, match="exceeds the 400 bytes of 'fast' and 'slow'"):
        with_budget(target, 401, None)


def test_limit_of_one_pool_is_what_the_budget_leaves() -> None:
    target = replace(made(), arena=(), system_memory="", ram_budget=200)
    assert target.arena_limits(30) == {"sram": 170}
    with pytest.raises(TargetError, match="exceeds the largest memory for it, 'slow'"):
        replace(target, ram_budget=301)


def test_budget_error_names_the_arena_where_it_is_not_in_the_largest_memory() -> None:
    with pytest.raises(TargetError, match="exceeds the arena's memory for it, 'fast'"):
        made(101, arena=("fast",))


@pytest.mark.parametrize("target", list_targets(), ids=lambda t: t.name)
def test_json_carries_everything(target: Target) -> None:
    text = json.dumps(target_to_json(target))
    again = target_from_json(json.loads(text), target.source)
    assert again == target
    assert again.pools == target.pools


def test_json_without_pools_is_read() -> None:
    """As models compiled by earlier versions have it."""
    fields = json.loads(json.dumps(target_to_json(load_target("nrf52840"))))
    for key in ("arena", "system_memory", "weights_memory"):
        del fields[key]
    for memory in fields["memories"]:
        del memory["latency"], memory["reach"]
    assert target_from_json(fields, load_target("nrf52840").source) == load_target("nrf52840")


SHIPPED = {
    "alif-e7-he": (["dtcm", "sram0", "sram1"], "dtcm"),
    "host": (["sram"], "ram"),
    "mps2-an505": (["sram"], "ssram23"),
    "mps3-an547": (["sram"], "isram0"),
    "nrf52832": (["sram"], "sram"),
    "rp2350": (["sram"], "sram"),
    "stm32f407": (["ccm", "sram"], "sram"),
    "stm32h743": (["dtcm", "axi_sram"], "axi_sram"),
    "stm32l476": (["sram1", "sram2"], "sram2"),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_pools_of_shipped_devices(name: str) -> None:
    target = load_target(name)
    assert ([pool.name for pool in target.pools], target.system_memory) == SHIPPED[name]
    assert not target.weights_copied


def test_memory_that_dma_does_not_reach() -> None:
    alone = {t.name: [p.name for p in t.pools if "dma" not in p.reach] for t in list_targets()}
    assert {n: p for n, p in alone.items() if p} == {"stm32f407": ["ccm"], "stm32h743": ["dtcm"]}


def test_smallest_shipped_device_for_the_model() -> None:
    target = load_target("nrf52832")
    assert (target.ram_budget, target.flash_budget) == (64 * KIB, 512 * KIB)
