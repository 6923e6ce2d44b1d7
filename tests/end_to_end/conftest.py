"""Models that are quantised once and compiled once a target, for all tests of the whole flow."""

from __future__ import annotations

import pytest
from flow import Compile

import tvm_embbert
from tvm_embbert.compiled import CompiledModel
from tvm_embbert.models.checkpoint import Model
from tvm_embbert.quantize.integer_module import IntegerModule


@pytest.fixture(scope="session")
def snips() -> Model:
    return tvm_embbert.load_model("snips")


@pytest.fixture(scope="session")
def snips_integer(snips: Model) -> IntegerModule:
    return tvm_embbert.quantize_model(snips)


@pytest.fixture(scope="session")
def compiled_for(
    snips: Model, snips_integer: IntegerModule, tmp_path_factory: pytest.TempPathFactory
) -> Compile:
    """Return a function that compiles the Snips model for a target, once."""
    made: dict[str, CompiledModel] = {}

    def compile_for(target: str) -> CompiledModel:
        if target not in made:
            lowered = tvm_embbert.lower_model(snips, snips_integer, target)
            out = tmp_path_factory.mktemp("compiled") / target
            made[target] = tvm_embbert.build(lowered, out, snips, measure=False)
        return made[target]

    return compile_for
