"""Other PyTorch models than EmbBERT: computed rightly, or refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from tvm_embbert import compat
from tvm_embbert.errors import UnsupportedOperatorError
from tvm_embbert.frontend.torch_frontend import from_torch
from tvm_embbert.transform.drop_unit_batch import drop_unit_batch
from tvm_embbert.transform.pipeline import simplify

WIDTH = 6
IDS = [2, 5, 4, 6, 0, 7]
ROW_WISE = {
    "nothing": lambda h: h,
    "relu": functional.relu,
    "gelu": functional.gelu,
    "tanh": torch.tanh,
    "layer norm": lambda h: functional.layer_norm(h, (WIDTH,)),
    "negative": torch.neg,
}
ACROSS_ROWS = {
    "mean": lambda h: h.mean(1, keepdim=True),
    "sum": lambda h: h.sum(1, keepdim=True),
    "softmax": lambda h: torch.softmax(h, 1),
    "flip": lambda h: h.flip(1),
    "cumsum": lambda h: h.cumsum(1),
    "concat": lambda h: torch.cat([h.flip(1), h], 1),
    "channel concat": lambda h: torch.cat([h, h], 2).reshape(1, -1, 2, WIDTH)[:, :, 1],
    "first row to all": lambda h: h + h[:, :1],
}


class OneOperation(nn.Module):
    """An embedding, an operation, and a classifier on the first row."""

    def __init__(self, operation):
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.classifier = nn.Embedding(20, WIDTH), nn.Linear(WIDTH, 3)
        self.operation = operation

    def forward(self, ids):
        return self.classifier(self.operation(self.embedding(ids))[:, 0])


@pytest.mark.parametrize("operation", ROW_WISE.values(), ids=ROW_WISE.keys())
def test_first_row_of_an_operation_on_rows(operation):
    assert_same_or_refused(operation, simplify)


@pytest.mark.parametrize("operation", ACROSS_ROWS.values(), ids=ACROSS_ROWS.keys())
def test_axes_stay_the_same_without_the_batch(operation):
    assert_same_or_refused(operation, drop_unit_batch)


def assert_same_or_refused(operation, run):
    model = OneOperation(operation).eval()
    with torch.no_grad():
        expected = model(torch.tensor([IDS])).numpy().reshape(-1)
    imported = from_torch(model, 16)
    try:
        made = run(imported)
    except UnsupportedOperatorError:
        return
    result = compat.compile_on_host(made)(np.array(IDS, np.int32))
    assert result.size == expected.size
    np.testing.assert_allclose(result.reshape(-1), expected, rtol=1e-4, atol=1e-5)
