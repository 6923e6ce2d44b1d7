"""A sentence to an answer: tokenise, run on the device, name the label."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tvm_embbert.compiled import CompiledModel
from tvm_embbert.errors import DeviceError
from tvm_embbert.measure import Session


@dataclass(frozen=True)
class Classification:
    """What the device said of a sentence.

    Attributes
    ----------
    text : str
        The sentence.
    tokens : list of int
        Its token ids.
    label : str
        The label of the largest logit.
    score : float
        That label's softmax probability.
    logits : list of int
        As the device returned them.
    instructions, cycles : int or None
        Those of the inference; None what is not counted.
    """

    text: str
    tokens: list[int]
    label: str
    score: float
    logits: list[int]
    instructions: int | None
    cycles: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for ``--json``."""
        return asdict(self)


def classify(compiled: CompiledModel, session: Session, text: str) -> Classification:
    """Classify one sentence; what is beyond the greatest length is cut off, with a warning."""
    encoder = compiled.model.encoder
    ids = encoder.encode(text, compiled.max_length + 1)
    if len(ids) > compiled.max_length:
        ids = ids[: compiled.max_length]
        warnings.warn(f"A text was cut off after {len(ids)} tokens: {text[:40]}...", stacklevel=2)
    answer = session.infer(ids)
    if answer.code != 0:
        raise DeviceError(
            f"The model returned error code {answer.code}.",
            where=f"text {text[:60]!r}, {len(ids)} tokens",
            supported="see the status codes in the library's header",
        )
    label, score = best(answer.logits, compiled)
    logits = [int(v) for v in answer.logits]
    counts = answer.instructions, answer.cycles
    return Classification(text, list(ids), label, score, logits, *counts)


def best(logits: np.ndarray[Any, Any], compiled: CompiledModel) -> tuple[str, float]:
    """Return the label of the largest logit and its softmax probability."""
    real = logits.astype(np.float64) * compiled.logit_scale
    shares = np.exp(real - real.max())
    index = int(np.argmax(logits))
    return compiled.labels[index], float(shares[index] / shares.sum())
