"""Quantisation of EmbBERTs of several shapes."""

from __future__ import annotations

import numpy as np
import pytest
from random_models import random_sentences

from tvm_embbert.models.embbert import EmbBertConfig
from tvm_embbert.quantize.integer_module import IntegerModule

# Vocabulary, length, hidden, reduced, expansion, kernel, layers, labels.
CONFIGS = [
    EmbBertConfig(40, 8, 8, 4, 1, 1, 1, 1),
    EmbBertConfig(200, 33, 16, 12, 1, 3, 3, 2),
    EmbBertConfig(40, 33, 24, 12, 2, 8, 1, 5),
    EmbBertConfig(200, 8, 48, 4, 1, 8, 1, 2),
]
NAMES = ["-".join(str(v) for v in vars(c).values()) for c in CONFIGS]


@pytest.fixture(params=CONFIGS, ids=NAMES)
def made(request, quantised):
    return quantised(request.param)


def test_integer_logits_are_near_the_float_ones(made):
    sentences = random_sentences(made.config, 40, 2)
    expected = np.array([made.logits(ids) for ids in sentences])
    result = np.array([made.integer.run(ids) for ids in sentences]) * made.integer.logit_scale
    noise = np.sqrt(np.mean((result - expected) ** 2))
    signal = np.sqrt(np.mean(expected**2))
    assert noise < 0.1 * signal
    assert np.corrcoef(result.ravel(), expected.ravel())[0, 1] > 0.98


def test_prediction_stays_where_it_is_clear(made):
    sentences = random_sentences(made.config, 40, 3)
    for ids in sentences:
        expected = made.logits(ids)
        result = made.integer.run(ids) * made.integer.logit_scale
        clear = expected < expected.max() - 0.25 * np.abs(expected).max()
        assert not clear[result.argmax()]


def test_padding_changes_nothing(made):
    """Also where it is computed, so that leaving it out is right."""
    integer = made.integer
    assert integer.pad_token == 0
    untrimmed = IntegerModule(integer.mod, integer.scales, None)
    for ids in random_sentences(made.config, 12, 4):
        expected = integer.run(ids)
        for length in range(len(ids), integer.max_length + 1, 3):
            padded = ids + [0] * (length - len(ids))
            np.testing.assert_array_equal(integer.run(padded), expected)
            np.testing.assert_array_equal(untrimmed.run(padded), expected)


def test_interior_padding_is_computed(made):
    """Positions count: what stands behind a padding in the middle is not moved forward."""
    ids = [2, 5, 0, 7]
    expected, integer = made.logits(ids), made.integer
    result = integer.run(ids) * integer.logit_scale
    assert np.abs(result - expected).max() < 0.25 * max(1.0, np.abs(expected).max())


def test_module_is_integer_calls_alone(made):
    integer = made.integer
    assert integer.max_length == made.config.max_length
    assert integer.result.shape == (1, made.config.num_labels)
    assert integer.result.dtype == "int16"
    assert integer.input.dtype == "int32"
    assert not any(t.dtype.startswith("float") for c in integer.calls for t in c.tensors)
    assert not any(c.dtype.kind == "f" for call in integer.calls for c in call.constants)


def test_weights_are_symmetric_int8(made):
    for call in made.integer.calls:
        if call.operator in ("linear", "causal_convolution", "gather"):
            weights = [c for c in call.constants if c.dtype == np.int8]
            assert all(np.abs(w.astype(int)).max() <= 127 for w in weights)
