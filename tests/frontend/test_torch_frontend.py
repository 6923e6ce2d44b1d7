"""PyTorch into Relax: lengths, and models that cannot be taken."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tvm_embbert import compat
from tvm_embbert.errors import InputError, UsageError
from tvm_embbert.frontend.torch_frontend import from_torch
from tvm_embbert.models.embbert import EmbBertConfig, EmbBertForSequenceClassification

SMALL = EmbBertConfig(40, 16, 8, 4, 1, 3, 1, 2)


class BranchesOnData(nn.Module):
    def forward(self, ids: Tensor) -> Tensor:
        return ids.float() if bool((ids > 3).all()) else -ids.float()


@pytest.mark.parametrize("length", [1, 2, 11, 12, 13, 16])
def test_any_length_gives_the_module_s_logits(length: int) -> None:
    torch.manual_seed(0)
    module = EmbBertForSequenceClassification(SMALL).eval()
    run = compat.compile_on_host(from_torch(module, SMALL.max_length))
    ids = np.random.default_rng(length).integers(0, 40, (1, length))
    ids[0, 0] = 2
    with torch.no_grad():
        expected = module(torch.tensor(ids)).numpy()
    np.testing.assert_allclose(run(ids), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("length", [-1, 0, 3])
def test_lengths_that_are_too_short(length: int) -> None:
    with pytest.raises(UsageError, match="too short"):
        from_torch(EmbBertForSequenceClassification(SMALL), length)


def test_control_flow_that_depends_on_data_is_refused() -> None:
    with pytest.raises(InputError, match="could not be imported") as caught:
        from_torch(BranchesOnData(), 16)
    assert "control flow" in caught.value.hint
