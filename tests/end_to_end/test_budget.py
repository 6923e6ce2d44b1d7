"""The device's memory: one byte too little is an error that helps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flow import Compile

import tvm_embbert
from tvm_embbert.errors import BudgetError
from tvm_embbert.lowering import with_budget
from tvm_embbert.models.checkpoint import Model
from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.target_file import list_targets, load_target

FITTING = ("nrf52840", "stm32h743", "rp2350", "nrf5340", "samd51j20", "alif-e7-he")


def build(model: Model, integer: IntegerModule, out: Path, ram: int | None, flash: int | None):
    target = with_budget(load_target("mps2-an386"), ram, flash)
    lowered = tvm_embbert.lower_model(model, integer, target)
    return tvm_embbert.build(lowered, out, measure=False)


@pytest.mark.emulator
@pytest.mark.parametrize("kind", ["ram", "flash"])
def test_one_byte_too_little(
    snips: Model, snips_integer: IntegerModule, compiled_for: Compile, tmp_path: Path, kind: str
) -> None:
    total = compiled_for("mps2-an386").report["memory"][kind]["total"]
    exact, short = {kind: total}, {kind: total - 1}
    fields = {"ram": None, "flash": None}
    build(snips, snips_integer, tmp_path / "fits", **(fields | exact))
    with pytest.raises(BudgetError) as caught:
        build(snips, snips_integer, tmp_path / "short", **(fields | short))
    assert "1 more than" in str(caught.value)
    assert "linear_2" in caught.value.where if kind == "ram" else "gather_0" in caught.value.where
    assert caught.value.hint
    assert [p.name for p in tmp_path.iterdir()] == ["fits"], "nothing is left half written"


@pytest.mark.emulator
def test_length_that_the_error_names_fits(
    snips: Model, snips_integer: IntegerModule, tmp_path: Path
) -> None:
    budget = 64 * 1024
    with pytest.raises(BudgetError) as caught:
        build(snips, snips_integer, tmp_path / "long", budget, None)
    length = int(re.search(r"--max-length (\d+)", caught.value.hint)[1])
    shorter = tvm_embbert.quantize_model(snips, length)
    compiled = build(snips, shorter, tmp_path / "short", budget, None)
    assert compiled.report["max_length"] == length
    assert budget * 0.9 < compiled.report["memory"]["ram"]["total"] <= budget
    ids = list(range(5, 5 + length))
    with compiled.session() as session:
        assert session.infer(ids).logits.tobytes() == shorter.run(ids).tobytes()
        assert session.infer(ids + [7]).code == -2


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
