"""Models that are imported, simplified and quantised once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from random_models import SMALL, Quantised, random_model, random_sentences

from tvm_embbert.frontend.torch_frontend import from_torch
from tvm_embbert.models.embbert import EmbBertConfig
from tvm_embbert.quantize.quantize import quantize
from tvm_embbert.transform.pipeline import simplify


@pytest.fixture(scope="session")
def quantised() -> Callable[[EmbBertConfig], Quantised]:
    """Return a function that makes each model once."""
    made: dict[EmbBertConfig, Quantised] = {}

    def make(config: EmbBertConfig) -> Quantised:
        if config not in made:
            model = random_model(config)
            mod = simplify(from_torch(model, config.max_length))
            integer = quantize(mod, random_sentences(config, 24, 1), 0)
            made[config] = Quantised(model, integer, config)
        return made[config]

    return make


@pytest.fixture(scope="session")
def simplified() -> Any:
    """Return the float module of the smallest model."""
    return simplify(from_torch(random_model(SMALL), SMALL.max_length))
