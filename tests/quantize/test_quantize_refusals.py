"""What quantisation refuses, and when it keeps padding."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from random_models import SMALL
from torch import nn

from tvm_embbert.errors import EmbBertError, InputError, UnsupportedOperatorError
from tvm_embbert.frontend.torch_frontend import from_torch
from tvm_embbert.quantize.padding import padding_is_dead
from tvm_embbert.quantize.partition import partition
from tvm_embbert.quantize.quantize import quantize
from tvm_embbert.strategy.operator import IntegerCall, Tensor
from tvm_embbert.transform.pipeline import simplify

SENTENCES = [[2, 5, 6, 7, 4], [2, 9, 8, 12, 30, 31, 4]]
WIDTH = 8


class TinyClassifier(nn.Module):
    """An embedding, an operation on its rows, and a classifier on the first row."""

    def __init__(self, operation):
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.projection = nn.Embedding(40, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.classifier = nn.Linear(WIDTH, 3)
        self.operation = operation

    def forward(self, ids):
        x = self.projection(self.embedding(ids))
        return self.classifier(self.projection(self.operation(x, ids))[:, 0])


def attend(softmax_axis=-1, masked=True):
    def operation(x, ids):
        scores = x @ x.transpose(1, 2)
        if masked:
            scores = scores.masked_fill((ids == 0).unsqueeze(1), float("-inf"))
        return torch.softmax(scores, softmax_axis) @ x

    return operation


def tiny(operation):
    return simplify(from_torch(TinyClassifier(operation), 16))


# Partition


def test_partition_covers_embbert(simplified):
    names = [m.operator.name for m in partition(simplified)]
    assert names.count("attention") == names.count("causal_convolution") == 1
    assert names[-1] == "linear"


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        (lambda x, ids: torch.cos(x), "relax.cos"),
        (lambda x, ids: x * x, "relax.multiply"),
        (lambda x, ids: torch.softmax(x, -1), "relax.nn.softmax"),
    ],
    ids=["cos", "square", "softmax"],
)
def test_operator_without_strategy_is_named(operation, name):
    with pytest.raises(UnsupportedOperatorError) as caught:
        partition(tiny(operation))
    assert caught.value.what == f"No operator strategy takes {name}."
    assert name in caught.value.where
    assert "linear" in caught.value.supported


def test_softmax_over_the_queries_is_no_attention():
    with pytest.raises(UnsupportedOperatorError, match=r"relax\.(nn\.softmax|matmul)"):
        partition(tiny(attend(softmax_axis=1)))


def _additive(x, ids):
    scores = x @ x.transpose(1, 2) + torch.where(ids == 0, -1e9, 0.0).unsqueeze(1)
    return torch.softmax(scores, -1) @ x


def _weakly_masked(x, ids):
    scores = (x @ x.transpose(1, 2)).masked_fill((ids == 0).unsqueeze(1), -3.0)
    return torch.softmax(scores, -1) @ x


def _masked_by_pairs(x, ids):
    hidden = (ids.unsqueeze(1) == 0) | (ids.unsqueeze(2) == 0)
    scores = (x @ x.transpose(1, 2)).masked_fill(hidden, float("-inf"))
    return torch.softmax(scores, -1) @ x


@pytest.mark.parametrize("operation", [_additive, _weakly_masked, _masked_by_pairs])
def test_attention_of_another_form_is_named(operation):
    with pytest.raises(UnsupportedOperatorError) as caught:
        partition(tiny(operation))
    assert caught.value.what == "No operator strategy takes this form of attention."
    assert "relax.divide" in caught.value.where
    assert "softmax over the last axis" in caught.value.supported
    assert "-10000" in caught.value.supported
    assert "adding-an-operator" in caught.value.hint


def test_two_attentions_may_share_a_softmax():
    def operation(x, ids):
        weights = torch.softmax(x @ x.transpose(1, 2), -1)
        return torch.cat([weights @ x, weights @ torch.tanh(x)], -1) @ torch.ones(2 * WIDTH, WIDTH)

    names = [m.operator.name for m in partition(tiny(operation))]
    assert names.count("attention") == 2


@pytest.mark.parametrize(
    "pad", [{"value": 1.0}, {"mode": "replicate"}, {"mode": "reflect"}], ids=["1", "edge", "mirror"]
)
def test_convolution_padded_with_other_than_zeros_is_refused(pad):
    filters = torch.ones(WIDTH, 1, 3)

    def operation(x, ids):
        padded = nn.functional.pad(x.transpose(1, 2), (2, 0), **pad)
        return nn.functional.conv1d(padded, filters, groups=WIDTH).transpose(1, 2)

    with pytest.raises(EmbBertError):
        partition(tiny(operation))


def test_result_of_an_activation_is_sixteen_bits_or_refused():
    class Squashed(TinyClassifier):
        def forward(self, ids):
            return torch.tanh(super().forward(ids))

    mod = simplify(from_torch(Squashed(attend()), 16))
    try:
        result = quantize(mod, SENTENCES, 0).result
    except UnsupportedOperatorError:
        return
    assert result.dtype == "int16"


# Calibration


def test_no_sentence(simplified):
    with pytest.raises(InputError, match="no calibration sentence"):
        quantize(simplified, [])


@pytest.mark.parametrize(
    "sentence",
    [[], [2] * (SMALL.max_length + 1), [2, SMALL.vocab_size], [2, -1]],
    ids=["empty", "too long", "unknown token", "negative token"],
)
def test_sentence_that_the_model_cannot_take(simplified, sentence):
    with pytest.raises(InputError) as caught:
        quantize(simplified, [*SENTENCES, sentence])
    assert "finite" not in caught.value.what  # nor refused by the luck of what memory held


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("classifier.bias", math.inf),
        ("projection.weight", math.nan),
        ("embedding.weight", math.nan),
        ("embedding.weight", -math.inf),
    ],
)
def test_weight_that_is_not_finite(name, value):
    """Also that of a token which the calibration text does not have: the vocabulary's last."""
    model = TinyClassifier(attend())
    with torch.no_grad():
        model.get_parameter(name).view(-1)[-1] = value
    with pytest.raises(InputError, match="not finite"):
        quantize(simplify(from_torch(model, 16)), SENTENCES)


# Padding


@pytest.mark.parametrize(("masked", "dead"), [(True, True), (False, False)])
def test_padding_is_dead_where_attention_hides_it(masked, dead):
    integer = quantize(tiny(attend(masked=masked)), SENTENCES, 0)
    assert integer.pad_token == (0 if dead else None)
    assert padding_is_dead(integer.calls, 0) is dead


def test_padding_of_another_id_is_not_hidden():
    assert not padding_is_dead(quantize(tiny(attend()), SENTENCES).calls, 1)


def test_padding_counts_where_all_rows_are_the_result():
    class Tagger(TinyClassifier):
        def forward(self, ids):
            x = self.projection(self.embedding(ids))
            return self.classifier(self.projection(self.operation(x, ids)))

    mod = simplify(from_torch(Tagger(attend()), 16))
    assert quantize(mod, SENTENCES, 0).pad_token is None


def _calls(mask_of: Tensor, operator: str = "attention") -> list[IntegerCall]:
    rows = Tensor("rows", ("n", 4), "int8")
    mask = Tensor("mask", ("n",), "bool")
    table = np.zeros((9, 4), np.int8)
    return [
        IntegerCall("gather", "rows", (Tensor("ids", ("n",), "int32"), table), rows),
        IntegerCall("running_sum", "sum", (mask,), Tensor("sum", ("n",), "int32")),
        IntegerCall("elementwise", "mask", ("equal", mask_of, 0), mask),
        IntegerCall(operator, "out", (rows, rows, rows, mask), Tensor("out", (1, 4), "int8")),
    ]


def test_padding_is_dead_by_a_mask_of_the_ids():
    assert padding_is_dead(_calls(Tensor("ids", ("n",), "int32")), 0)


def test_mask_of_another_tensor_hides_no_padding():
    """Its zeros are not where the ids are padding."""
    assert not padding_is_dead(_calls(Tensor("sum", ("n",), "int32")), 0)


def test_operator_that_looks_ahead_keeps_padding(monkeypatch):
    from tvm_embbert.strategy import registry

    monkeypatch.setattr(registry.operator("linear"), "causal_rows", False, raising=False)
    assert not padding_is_dead(_calls(Tensor("ids", ("n",), "int32"), "linear"), 0)
