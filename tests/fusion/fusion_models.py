"""Models whose rows are all needed, of three blocks that fuse differently, and their integer form.

Each ends in one attention over all rows, of which the classifier reads the first: without it all
rows but the first would be dead.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tvm_embbert.codegen.header import Interface
from tvm_embbert.codegen.library import Library, generate
from tvm_embbert.codegen.names import Names
from tvm_embbert.frontend.torch_frontend import from_torch
from tvm_embbert.fusion.fuse import Fused, fuse
from tvm_embbert.memory.plan import MemoryPlan, plan_memory
from tvm_embbert.memory.space import ONE_SPACE, Space
from tvm_embbert.program.build import build_program
from tvm_embbert.program.program import Program
from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.quantize.quantize import quantize
from tvm_embbert.transform.pipeline import simplify

VOCABULARY, WIDTH, LABELS, MAX_LENGTH = 50, 12, 4, 40


class TwoHeads(nn.Module):
    """Attention of two heads with keys and values of their own, then a projection."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.ModuleList(nn.Linear(WIDTH, WIDTH // 2) for _ in range(3)) for _ in range(2)
        )
        self.output = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        contexts = []
        for query, key, value in self.heads:
            scores = query(x) @ key(x).transpose(1, 2) / (WIDTH // 2) ** 0.5
            contexts.append(torch.softmax(scores, -1) @ value(x))
        return self.output(torch.cat(contexts, -1))


class FeedForward(nn.Module):
    """Two projections with an activation between them, four times as wide."""

    def __init__(self) -> None:
        super().__init__()
        self.widen, self.narrow = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.narrow(functional.gelu(self.widen(x)))


class ConvolutionStack(nn.Module):
    """Causal convolutions of 5, 3 and 1 taps, the second with two outputs a channel."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(WIDTH, WIDTH, 5, groups=WIDTH)
        self.second = nn.Conv1d(WIDTH, 2 * WIDTH, 3, groups=WIDTH)
        self.third = nn.Conv1d(2 * WIDTH, 2 * WIDTH, 4, groups=2 * WIDTH)
        self.narrow = nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.silu(self._causal(self.first, x))
        x = self._causal(self.third, self._causal(self.second, x))
        return self.narrow(functional.relu(x))

    @staticmethod
    def _causal(convolution: nn.Conv1d, x: Tensor) -> Tensor:
        padded = functional.pad(x.transpose(1, 2), (convolution.kernel_size[0] - 1, 0))
        return convolution(padded).transpose(1, 2)


class Classifier(nn.Module):
    """An embedding, a block, an attention over all rows, and a classifier on the first."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.embedding, self.block = nn.Embedding(VOCABULARY, WIDTH), block
        self.query, self.classifier = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, LABELS)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.block(self.embedding(ids))
        scores = self.query(x) @ x.transpose(1, 2) / WIDTH**0.5
        return self.classifier((torch.softmax(scores, -1) @ x)[:, 0])


BLOCKS = {"two heads": TwoHeads, "feed forward": FeedForward, "convolutions": ConvolutionStack}


def integer_model(block: str) -> IntegerModule:
    """Return a block's model of random weights in integers."""
    torch.manual_seed(len(block))
    model = Classifier(BLOCKS[block]())
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.0, 1.5 / parameter.shape[-1] ** 0.5)
    rng = np.random.default_rng(3)
    sentences = [rng.integers(0, VOCABULARY, n).tolist() for n in (3, 12, 25, MAX_LENGTH)]
    return quantize(simplify(from_torch(model, MAX_LENGTH)), sentences)


def random_sentences(lengths: list[int]) -> list[list[int]]:
    """Return token ids of the given lengths."""
    rng = np.random.default_rng(11)
    return [rng.integers(0, VOCABULARY, n).tolist() for n in lengths]


def fused_model(module: IntegerModule, tile_rows: int | None) -> Fused:
    """Return a model's portable kernels in tiles of some rows, or without loops for 0."""

    def plan(candidate: Program, spaces: Sequence[Space]) -> MemoryPlan:
        return plan_memory(candidate, module.max_length, spaces=spaces)

    program = build_program(module, ["portable"])
    return fuse(program, module.max_length, plan, ONE_SPACE, tile_rows)


def library_of(fused: Fused) -> Library:
    """Return the C of a fused model."""
    interface = Interface(tuple("abcd"), VOCABULARY)
    return generate(Names("fused"), fused.program, fused.plan, interface)
