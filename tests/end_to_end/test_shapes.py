"""Models of other widths, depths, kernels, lengths, label counts and vocabularies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from flow import SHAPES, model_folder

import tvm_embbert
from tvm_embbert.models.embbert import EmbBertConfig, EmbBertForSequenceClassification


@pytest.mark.host
@pytest.mark.parametrize("config", SHAPES, ids=str)
@pytest.mark.filterwarnings("ignore:.*random tokens")
def test_other_shapes_compile_and_equal_the_reference(
    config: EmbBertConfig, tmp_path: Path
) -> None:
    folder = model_folder(config, tmp_path / f"shape_{config.vocab_size}")
    compiled = tvm_embbert.compile_model(folder, "host", tmp_path / "out")
    rng = np.random.default_rng(0)
    for length in (1, 2, config.max_length // 2, config.max_length):
        ids = rng.integers(1, config.vocab_size, length).tolist()
        answer = compiled.run(ids)
        assert answer.code == 0
        assert answer.logits.tobytes() == compiled.reference.run(ids).tobytes()
    assert len(compiled.labels) == config.num_labels
    assert compiled.run([config.vocab_size]).code == -3


@pytest.mark.host
def test_quantised_logits_are_near_the_float_ones(tmp_path: Path) -> None:
    folder = model_folder(SHAPES[2], tmp_path / "near")
    with pytest.warns(UserWarning, match="random tokens"):
        compiled = tvm_embbert.compile_model(folder, "host", tmp_path / "out")
    module = tvm_embbert.load_model(folder).module
    ids = np.random.default_rng(1).integers(5, 100, 40).tolist()
    real = module(torch.tensor([ids]))[0].detach().numpy()
    error = np.abs(compiled.run(ids).logits * compiled.logit_scale - real)
    assert error.max() < 0.1 * np.abs(real).max()


def test_published_configuration_has_the_published_size() -> None:
    body = EmbBertForSequenceClassification(EmbBertConfig()).model
    assert sum(p.numel() for p in body.parameters()) == 357_248
