"""EmbBERT in PyTorch, with the parameter names of the published checkpoints.

Source: EmbBERT-Q, arXiv 2502.10001. At the published configuration (vocabulary 8192, reduced
embedding 16, hidden 128, 4 layers, kernel 32, length 256) the body has 357,248 parameters.

The forward pass has no data-dependent control flow, so ``torch.export`` takes it with a symbolic
length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

PAD, UNK, CLS, MASK, SEP = range(5)
EPSILON = 1e-6


@dataclass(frozen=True)
class EmbBertConfig:
    """Shape of an EmbBERT: all fields count elements, ``max_length`` counts tokens."""

    vocab_size: int = 8192
    max_length: int = 256
    hidden_size: int = 128
    reduced_embedding: int = 16
    forward_expansion: int = 1
    kernel_size: int = 32
    num_hidden_layers: int = 4
    num_labels: int = 2


class Embedder(nn.Module):
    """Token, position and sentence embeddings; the first two in a reduced width, then expanded."""

    def __init__(self, config: EmbBertConfig) -> None:
        super().__init__()
        reduced, hidden = config.reduced_embedding, config.hidden_size
        self.token = nn.Embedding(config.vocab_size, reduced)
        self.tok_expander = nn.Linear(reduced, hidden, bias=False)
        self.position = nn.Embedding(config.max_length, reduced)
        self.pos_expander = nn.Linear(reduced, hidden, bias=False)
        self.sentence = nn.Embedding(3, hidden)

    def forward(self, ids: Tensor) -> Tensor:
        """Embed token ids, int64 (1, n), to float32 (1, n, hidden)."""
        seen = torch.cumsum((ids == SEP).to(torch.int32), 1, dtype=torch.int32)
        sentence = torch.where(ids == PAD, 0, torch.where(seen > 0, 2, 1))
        positions = torch.arange(ids.shape[1], device=ids.device)
        x: Tensor = self.tok_expander(self.token(ids)) + self.pos_expander(self.position(positions))
        return x + self.sentence(sentence)


class RMSNorm(nn.Module):
    """Root mean square normalisation over the channels (arXiv 1910.07467)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise float32 (..., width)."""
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + EPSILON) * self.weight


class EfficientAttention(nn.Module):
    """The differential block: attention against the input itself, minus a gated convolution."""

    def __init__(self, config: EmbBertConfig) -> None:
        super().__init__()
        hidden, kernel = config.hidden_size, config.kernel_size
        wide = hidden * config.forward_expansion
        self.query = nn.Linear(hidden, hidden)
        self.att_output = nn.Linear(hidden, hidden)
        self.conv1d = nn.Conv1d(hidden, wide, kernel, groups=hidden)
        self.contract = nn.Linear(wide, hidden)
        for name in ("lambda_q1", "lambda_k1", "lambda_q2", "lambda_k2"):
            self.register_parameter(name, nn.Parameter(torch.zeros(hidden)))
        self.scale = math.sqrt(hidden)
        self.kernel = kernel

    def forward(self, h: Tensor, padding: Tensor) -> Tensor:
        """Map float32 (1, n, hidden); `padding` is bool (1, n), true where no token is."""
        attended = self.att_output(self._attend(h, padding))
        gated = self.contract(self._convolve(h))
        lambda1 = torch.exp((self.lambda_q1 * self.lambda_k1).sum())
        lambda2 = torch.exp((self.lambda_q2 * self.lambda_k2).sum())
        return lambda1 * attended - lambda2 * gated

    def _attend(self, h: Tensor, padding: Tensor) -> Tensor:
        scores = self.query(h) @ h.transpose(-1, -2) / self.scale
        scores = scores.masked_fill(padding.unsqueeze(1), float("-inf"))
        return torch.softmax(scores, -1) @ h

    def _convolve(self, h: Tensor) -> Tensor:
        channels_first = functional.pad(h.transpose(1, 2), (self.kernel - 1, 0))
        convolved: Tensor = self.conv1d(channels_first)
        return functional.silu(convolved.transpose(1, 2))


class EmbBertBody(nn.Module):
    """Embedder, then layers of normalisation and :class:`EfficientAttention`, no residual."""

    def __init__(self, config: EmbBertConfig) -> None:
        super().__init__()
        layers = range(config.num_hidden_layers)
        self.embedder = Embedder(config)
        self.attentions = nn.ModuleList(EfficientAttention(config) for _ in layers)
        self.norms = nn.ModuleList(RMSNorm(config.hidden_size) for _ in layers)

    def forward(self, ids: Tensor) -> Tensor:
        """Encode token ids, int64 (1, n), to float32 (1, n, hidden)."""
        x: Tensor = self.embedder(ids)
        padding = ids == PAD
        for norm, attention in zip(self.norms, self.attentions, strict=True):
            x = attention(norm(x), padding)
        return x


class EmbBertForSequenceClassification(nn.Module):
    """The body under ``model.``, and a linear classifier on row 0, the [CLS] token."""

    def __init__(self, config: EmbBertConfig) -> None:
        super().__init__()
        self.config = config
        self.model = EmbBertBody(config)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)

    def forward(self, ids: Tensor) -> Tensor:
        """Classify token ids, int64 (1, n), n at most ``max_length``: float32 (1, num_labels)."""
        logits: Tensor = self.classifier(self.model(ids)[:, 0])
        return logits
