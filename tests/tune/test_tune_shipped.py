"""The records that ship: no operator's own kernels are slower in the model than untuned."""

from __future__ import annotations

import pytest

from tvm_embbert.compiler import quantize_model
from tvm_embbert.models.checkpoint import load_model
from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.target_file import load_target
from tvm_embbert.tune.schedules import no_schedules, shipped_schedules
from tvm_embbert.tune.slower import KERNELS, slower
from tvm_embbert.tune.whole import Whole, count

pytestmark = pytest.mark.emulator

BOARDS = ("mps2-an385", "mps2-an386", "mps3-an547", "virt-rv32v")


@pytest.fixture(scope="module")
def shipped() -> IntegerModule:
    return quantize_model(load_model("snips"))


@pytest.mark.parametrize("board", BOARDS)
def test_no_tuned_kernel_is_slower_in_the_model(shipped: IntegerModule, board: str) -> None:
    whole = Whole(shipped, load_target(board), shipped.max_length, {})
    before = count(whole.lower(no_schedules()), whole.ids)
    after = count(whole.lower(shipped_schedules(whole.target.core)), whole.ids)
    assert after.total < before.total
    assert [each for each in slower(before, after) if each.cause == KERNELS] == []
