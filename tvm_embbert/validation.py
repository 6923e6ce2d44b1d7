"""Float model, integer reference and image, compared on labelled text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from tvm_embbert.compiled import CompiledModel
from tvm_embbert.measure import Session

Row = tuple[str, int]


@dataclass(frozen=True)
class _Outcome:
    float_right: bool
    reference_right: bool
    image_right: bool
    same_label: bool
    identical: bool
    instructions: int | None
    cycles: int | None


def validate(
    compiled: CompiledModel, session: Session, rows: Sequence[Row], progress: bool = False
) -> dict[str, Any]:
    """Compare on rows of (text, index of the label).

    Returns
    -------
    dict
        ``rows``; ``accuracy`` of ``float``, ``reference`` and ``image``, 0 to 1;
        ``same_label_as_float``, the share of rows where the reference agrees with the float model;
        ``identical_rows``, where image and reference are equal in every byte of every logit;
        ``instructions`` and ``cycles`` as ``min``, ``median`` and ``max``, or None where they are
        not counted.
    """
    bar = tqdm(rows, desc="validating", disable=not progress, leave=False)
    outcomes = [_compare(compiled, session, text, label) for text, label in bar]
    return {
        "rows": len(outcomes),
        "accuracy": {
            "float": _share([o.float_right for o in outcomes]),
            "reference": _share([o.reference_right for o in outcomes]),
            "image": _share([o.image_right for o in outcomes]),
        },
        "same_label_as_float": _share([o.same_label for o in outcomes]),
        "identical_rows": sum(o.identical for o in outcomes),
        "instructions": _spread([o.instructions for o in outcomes if o.instructions is not None]),
        "cycles": _spread([o.cycles for o in outcomes if o.cycles is not None]),
    }


def _compare(compiled: CompiledModel, session: Session, text: str, label: int) -> _Outcome:
    ids = compiled.model.encoder.encode(text, compiled.max_length)
    with torch.no_grad():
        real = compiled.model.module(torch.tensor([ids]))[0].numpy()
    expected = compiled.reference.run(ids)
    answer = session.infer(ids)
    identical = answer.code == 0 and answer.logits.tobytes() == expected.tobytes()
    guesses = [int(np.argmax(v)) for v in (real, expected, answer.logits)]
    return _Outcome(
        float_right=guesses[0] == label,
        reference_right=guesses[1] == label,
        image_right=guesses[2] == label,
        same_label=guesses[0] == guesses[1],
        identical=identical,
        instructions=answer.instructions,
        cycles=answer.cycles,
    )


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits)


def _spread(counts: Sequence[int]) -> dict[str, int] | None:
    if not counts:
        return None
    return {"min": min(counts), "median": median_low(counts), "max": max(counts)}
