"""A small model, its tasks, and tasks of a made-up space whose costs are known."""

from __future__ import annotations

import pytest
import torch
from made_up import KnobbyLinear

from tvm_embbert.frontend.torch_frontend import from_torch
from tvm_embbert.models.embbert import EmbBertConfig, EmbBertForSequenceClassification
from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.quantize.quantize import quantize
from tvm_embbert.target_file import load_target
from tvm_embbert.transform.pipeline import simplify
from tvm_embbert.tune.task import Task, extract_tasks

LENGTH = 30


@pytest.fixture(scope="session")
def module() -> IntegerModule:
    """Return a model of every operator: two layers, 32 channels, at most 30 tokens."""
    torch.manual_seed(5)
    config = EmbBertConfig(64, LENGTH, 32, 8, 2, 5, 1, 4)
    model = EmbBertForSequenceClassification(config).eval()
    for name, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, 1.0 if "norms" in name else 0.0, 0.2)
    ids = [torch.randint(4, 64, (LENGTH,)).tolist() for _ in range(4)]
    return quantize(simplify(from_torch(model, LENGTH)), ids, pad_token=0)


@pytest.fixture(scope="session")
def tasks(module: IntegerModule) -> list[Task]:
    """Return the tasks of the small model on a Cortex-M4."""
    return extract_tasks(module, load_target("mps2-an386").core.isa, LENGTH, rows=8)


@pytest.fixture(scope="session")
def made_up(tasks: list[Task]) -> list[Task]:
    """Return two tasks with 540 candidates each."""
    linear = [task for task in tasks if task.operator == "linear" and task.rows > 1]
    return [
        Task(KnobbyLinear(), t.call, t.args, t.expected, t.first, t.rows, t.length, t.steps)
        for t in linear[:2]
    ]
