"""A small EmbBERT after each float pass, and Relax functions made by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from relax_graph import CONFIG
from tvm import relax, tirx

from tvm_embbert import compat
from tvm_embbert.frontend.torch_frontend import from_torch
from tvm_embbert.models.embbert import EmbBertForSequenceClassification
from tvm_embbert.transform.pipeline import FLOAT_PASSES

torch.set_num_threads(1)  # small models: threads only cost


@pytest.fixture(scope="session")
def model() -> EmbBertForSequenceClassification:
    """Return a model of random weights, gains and lambdas."""
    made = EmbBertForSequenceClassification(CONFIG).eval()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return made


@pytest.fixture(scope="session")
def stages(model: EmbBertForSequenceClassification) -> dict[str, Any]:
    """Return the module as imported, and after each pass by the pass's name."""
    modules = {"imported": from_torch(model, CONFIG.max_length)}
    last = modules["imported"]
    for run in FLOAT_PASSES:
        last = modules[run.__name__] = run(last)
    return modules


@pytest.fixture(scope="session")
def logits_after(stages: dict[str, Any]) -> Callable[..., Any]:
    """Return a function from a pass's name and ids to logits; each stage is compiled once."""

    @cache
    def compiled(name: str) -> Callable[..., Any]:
        return compat.compile_on_host(stages[name])

    def run(name: str, ids: list[int]) -> np.ndarray:
        array = np.array([ids], np.int64) if name == "imported" else np.array(ids, np.int32)
        return compiled(name)(array).reshape(-1)

    return run


@pytest.fixture(scope="session")
def length() -> Any:
    """Return the symbolic number of rows of functions made by hand."""
    return tirx.Var("n", "int64")


@pytest.fixture
def make(length: Any) -> Callable[..., Any]:
    """Return a function that builds a module: a body, then the shapes of its float inputs."""

    def build(body: Callable[..., Any], *shapes: tuple[Any, ...]) -> Any:
        builder = relax.BlockBuilder()
        variables = [
            relax.Var(f"x{i}", compat.tensor_type(shape, "float32"))
            for i, shape in enumerate(shapes)
        ]
        with builder.function(compat.MAIN, variables):
            with builder.dataflow():
                result = builder.emit_output(body(builder.emit, *variables))
            builder.emit_func_output(result)
        return compat.fold_constants(compat.with_bounds(builder.get(), {"n": 16}))

    return build
