"""The device's memory: one byte too little is an error that helps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flow import Compile

import tvm_embbert
from tvm_embbert.errors import BudgetError, UsageError
from tvm_embbert.lowering import MemoryOptions, with_budget
from tvm_embbert.models.checkpoint import Model
from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.target_file import list_targets, load_target
from tvm_embbert.tune.schedules import shipped_schedules

FITTING = (
    "nrf52840",
    "stm32h743",
    "stm32l476",
    "rp2350",
    "nrf5340",
    "samd51j20",
    "alif-e7-he",
)


def build(model: Model, integer: IntegerModule, out: Path, ram: int | None, flash: int | None):
    target = with_budget(load_target("mps2-an386"), ram, flash)
    lowered = tvm_embbert.lower_model(model, integer, target)
    return tvm_embbert.build(lowered, out, measure=False)


def flash_of(compiled) -> int:
    return compiled.report["memory"]["flash"]["total"]


@pytest.mark.emulator
def test_one_byte_of_flash_too_little(
    snips: Model, snips_integer: IntegerModule, compiled_for: Compile, tmp_path: Path
) -> None:
    total = flash_of(compiled_for("mps2-an386"))
    build(snips, snips_integer, tmp_path / "fits", None, total)
    with pytest.raises(BudgetError) as caught:
        build(snips, snips_integer, tmp_path / "short", None, total - 1)
    assert "1 more than" in str(caught.value)
    assert "gather_0" in caught.value.where
    assert caught.value.hint
    assert [p.name for p in tmp_path.iterdir()] == ["fits"], "nothing is left half written"


@pytest.mark.emulator
def test_one_byte_of_ram_too_little_for_the_smallest_tiles(
    snips: Model, snips_integer: IntegerModule, tmp_path: Path
) -> None:
    smallest = smallest_total(snips, snips_integer, tmp_path / "smallest")
    for _ in range(8):  # a few bytes of stack go with the loops
        try:
            fitting = build(snips, snips_integer, tmp_path / "fits", smallest - 1, None)
        except BudgetError as error:
            caught = error
            break
        assert fitting.report["memory"]["ram"]["total"] < smallest
        smallest = fitting.report["memory"]["ram"]["total"]
    build(snips, snips_integer, tmp_path / "fits", smallest, None)
    missing = int(re.search(r"([\d,]+) more than", str(caught))[1].replace(",", ""))
    assert 1 <= missing < 64
    assert "rms_norm" in caught.where
    with pytest.raises(BudgetError):
        build(snips, snips_integer, tmp_path / "short", smallest - 1, None)
    assert not (tmp_path / "short").exists()


def smallest_total(model: Model, integer: IntegerModule, out: Path) -> int:
    """Return the RAM of tiles of one row, by kernels with the least scratch."""
    options, target = MemoryOptions(tile_rows=1), load_target("mps2-an386")
    *_, least = shipped_schedules(target.core).frugal()
    lowered = tvm_embbert.lower_model(model, integer, target, memory=options, schedules=least)
    compiled = tvm_embbert.build(lowered, out, measure=False)
    return int(compiled.report["memory"]["ram"]["total"])


@pytest.mark.emulator
def test_smaller_tiles_are_tried_and_told(
    snips: Model, snips_integer: IntegerModule, compiled_for: Compile, tmp_path: Path
) -> None:
    preferred = compiled_for("mps2-an386").report
    budget = preferred["memory"]["ram"]["total"] - 1000
    target = with_budget(load_target("mps2-an386"), budget, None)
    compiled = tvm_embbert.build(
        tvm_embbert.lower_model(snips, snips_integer, target), tmp_path / "o"
    )
    report = compiled.report
    (concession,) = report["concessions"]
    saved = preferred["memory"]["ram"]["arena"] - report["memory"]["ram"]["arena"]
    assert concession["measured"]
    assert concession["ram_saved"] == saved >= 1000
    total = report["instructions"]["per_inference"]
    assert 0 < concession["instructions_added"] < total / 5
    assert concession["what"]
    assert report["memory"]["ram"]["total"] <= budget
    ids = list(range(5, 261))
    with compiled.session() as session:
        assert session.infer(ids).logits.tobytes() == snips_integer.run(ids).tobytes()


@pytest.mark.emulator
def test_device_with_64_kb_gets_the_longest_that_fits(snips: Model, tmp_path: Path) -> None:
    compiled = tvm_embbert.compile_model(
        snips, "nrf52832", tmp_path / "fit", max_length="fit", measure=False
    )
    length = compiled.max_length
    assert 200 < length < 256
    reference = compiled.reference
    with compiled.session() as session:
        for ids in ([2, 90, 238], list(range(5, 5 + length))):
            assert session.infer(ids).logits.tobytes() == reference.run(ids).tobytes()
        assert session.infer([7] * (length + 1)).code == -2
    with pytest.raises(BudgetError) as caught:
        tvm_embbert.compile_model(
            snips, "nrf52832", tmp_path / "more", max_length=length + 1, measure=False
        )
    assert caught.value.fitting_length == length
    assert f"--max-length {length} would fit" in caught.value.hint


@pytest.mark.emulator
def test_arena_split_over_two_memories(compiled_for: Compile) -> None:
    compiled = compiled_for("stm32f407")
    pools = compiled.report["memory"]["pools"]
    assert [p["name"] for p in pools] == ["ccm", "sram"]
    assert all(0 < p["lower_bound"] <= p["size"] <= p["budget"] for p in pools)
    assert sum(p["size"] for p in pools) == compiled.report["memory"]["ram"]["arena"]
    ids = list(range(5, 261))
    with compiled.session() as session:
        assert session.infer(ids).logits.tobytes() == compiled.reference.run(ids).tobytes()


WEIGHTS_IN_RAM = """
name = "two-rams"
description = "A device with a RAM of its own for the weights"
core = "cortex-m4"

[memory.flash]
size = "1 MiB"
access = "rx"
latency = 6

[memory.sram]
size = "128 KiB"
access = "rw"

[memory.wram]
size = "{size}"
access = "rw"

[arena]
system = "sram"

[weights]
memory = "wram"
"""


@pytest.mark.emulator
def test_weights_copied_to_a_ram_of_their_own(
    snips: Model, snips_integer: IntegerModule, tmp_path: Path
) -> None:
    file = tmp_path / "two-rams.toml"
    file.write_text(WEIGHTS_IN_RAM.format(size="384 KiB"))
    lowered = tvm_embbert.lower_model(snips, snips_integer, str(file))
    compiled = tvm_embbert.build(lowered, tmp_path / "out", measure=False)
    memory = compiled.report["memory"]
    assert memory["ram"]["weights"] == memory["flash"]["weights"] == lowered.program.weight_bytes
    assert memory["ram"]["total"] <= memory["ram"]["budget"] == (128 + 384) * 1024
    ids = list(range(5, 261))
    with compiled.session() as session:
        assert session.infer(ids).logits.tobytes() == snips_integer.run(ids).tobytes()
    file.write_text(WEIGHTS_IN_RAM.format(size="256 KiB"))
    lowered = tvm_embbert.lower_model(snips, snips_integer, str(file))
    with pytest.raises(BudgetError):
        tvm_embbert.build(lowered, tmp_path / "short", measure=False)


def test_unknown_word_for_a_length_is_refused(snips: Model, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'most' is no maximum length"):
        tvm_embbert.compile_model(snips, "host", tmp_path / "o", max_length="most")


@pytest.mark.emulator
@pytest.mark.parametrize("device", FITTING)
def test_real_device_runs_on_its_cores_emulator(compiled_for: Compile, device: str) -> None:
    compiled = compiled_for(device)
    ids = [2, 90, 238, 780]
    with compiled.session() as session:
        assert session.infer(ids).logits.tobytes() == compiled.reference.run(ids).tobytes()
    assert compiled.report["memory"]["ram"]["budget"] == compiled.target.ram_budget


def test_real_devices_are_listed() -> None:
    emulated = {"host"} | {t.core.emulator.machine for t in list_targets() if t.core.emulator}
    real = [t.name for t in list_targets() if t.name not in emulated]
    assert len(real) >= 6
    assert set(FITTING) <= set(real)
