"""Small EmbBERTs of random weights, and sentences for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tvm_embbert.models.embbert import EmbBertConfig, EmbBertForSequenceClassification
from tvm_embbert.quantize.integer_module import IntegerModule

torch.set_num_threads(1)  # small models: threads only cost
SMALL = EmbBertConfig(40, 16, 8, 4, 1, 3, 1, 3)


@dataclass(frozen=True, eq=False)
class Quantised:
    """A model, and its integer form."""

    model: EmbBertForSequenceClassification
    integer: IntegerModule
    config: EmbBertConfig

    def logits(self, ids: list[int]) -> np.ndarray:
        with torch.no_grad():
            return self.model(torch.tensor([ids])).numpy().reshape(-1)


def random_model(config: EmbBertConfig) -> EmbBertForSequenceClassification:
    """Return a model whose activations keep about the size of its inputs."""
    model = EmbBertForSequenceClassification(config).eval()
    generator = torch.Generator().manual_seed(config.hidden_size + config.num_labels)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            drawn = torch.randn(parameter.shape, generator=generator)
            fan_in = parameter.shape[-1] if parameter.ndim > 1 else 10
            gain = 1.0 if "norms" in name else 0.0
            parameter.copy_(gain + drawn / fan_in**0.5)
    return model


def random_sentences(config: EmbBertConfig, count: int, seed: int) -> list[list[int]]:
    """Return sentences of 1 token to the most there may be, [CLS] first, some with [SEP]."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, config.max_length, count)
    lengths[0] = config.max_length - 1
    return [[2, *rng.integers(4, config.vocab_size, n).tolist()] for n in lengths]
