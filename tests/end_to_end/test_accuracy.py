"""The integer model against the float model, on all test sentences of two data sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import tvm_embbert
from tvm_embbert.models.checkpoint import Model
from tvm_embbert.models.text import read_labelled
from tvm_embbert.quantize.integer_module import IntegerModule

DATA = Path(__file__).parent.parent / "data"


def compared(model: Model, integer: IntegerModule, data: Path) -> tuple[float, float, float]:
    """Return the accuracy of float and integer model, and the share of equal labels."""
    outcomes = []
    for text, label in read_labelled(data, model.labels):
        ids = model.encoder.encode(text, model.max_length)
        with torch.no_grad():
            real = int(np.argmax(model.module(torch.tensor([ids]))[0].numpy()))
        guess = int(np.argmax(integer.run(ids)))
        outcomes.append((real == label, guess == label, real == guess))
    shares = np.mean(outcomes, axis=0)
    return float(shares[0]), float(shares[1]), float(shares[2])


def test_snips_keeps_its_accuracy(snips: Model, snips_integer: IntegerModule) -> None:
    real, integer, same = compared(snips, snips_integer, DATA / "snips_test.tsv.gz")
    assert real == pytest.approx(0.9714, abs=5e-5)
    assert abs(integer - real) <= 0.003
    assert same >= 0.995


def test_nlu_scenario_keeps_its_accuracy() -> None:
    model = tvm_embbert.load_model(DATA / "nlu_scenario")
    integer_model = tvm_embbert.quantize_model(model)
    real, integer, same = compared(model, integer_model, DATA / "nlu_scenario_test.tsv.gz")
    assert real == pytest.approx(0.7881, abs=5e-5)
    assert abs(integer - real) <= 0.005
    assert same >= 0.985


def test_random_tokens_will_do_for_calibration(snips: Model) -> None:
    with pytest.warns(UserWarning, match="random tokens"):
        ids = tvm_embbert.calibration_ids(snips, [])
    assert len(ids) == 64
    assert all(0 <= i < snips.vocab_size for sentence in ids for i in sentence)
