"""Self-test vectors: inputs, and what an image must answer, for firmware to check itself with."""

from __future__ import annotations

from typing import Any

import numpy as np

from tvm_embbert.quantize.integer_module import IntegerModule

OK, ERROR_LENGTH, ERROR_TOKEN = 0, -2, -3
"""Codes of the public header."""
_SHORT = (1, 2, 3, 7, 31)
_SEED = 20


def self_test_vectors(
    module: IntegerModule, vocabulary: int, max_length: int, first_token: int | None = None
) -> dict[str, Any]:
    """Return inputs with the code and the logits that any image of the model gives for them.

    They are of several lengths up to the greatest, one of them padded where padding is left out,
    and two that are refused: an id outside the vocabulary, and no id at all.

    Parameters
    ----------
    module : IntegerModule
        The reference; its logits are int16 (labels).
    vocabulary : int
        Token ids are 0 to ``vocabulary - 1``.
    max_length : int
        Longest input, in tokens.
    first_token : int, optional
        Id that inputs usually begin with.

    Returns
    -------
    dict
        ``{"vectors": [{"ids": [...], "code": 0, "logits": [...]}, ...]}``; logits are empty where
        the code is not 0. The same for the same model.
    """
    inputs = _inputs(module, vocabulary, max_length, first_token)
    computed = [_vector(ids, OK, module.run(ids).tolist()) for ids in inputs]
    refused = [_vector([vocabulary], ERROR_TOKEN, []), _vector([], ERROR_LENGTH, [])]
    return {"vectors": computed + refused}


def _vector(ids: list[int], code: int, logits: list[int]) -> dict[str, Any]:
    return {"ids": ids, "code": code, "logits": logits}


def _inputs(
    module: IntegerModule, vocabulary: int, max_length: int, first_token: int | None
) -> list[list[int]]:
    """Return inputs of different lengths, and the longest but one with padding in place of half."""
    generator, pad = np.random.default_rng(_SEED), module.pad_token
    tokens = [token for token in range(vocabulary) if token != pad]
    inputs = []
    for length in _lengths(max_length):
        ids: list[int] = generator.choice(tokens, length).tolist()
        inputs.append(ids if first_token is None else [first_token, *ids[1:]])
    if pad is not None and max_length > 1:
        kept = inputs[-1][: max_length - max_length // 2]
        inputs.append(kept + [pad] * (max_length - len(kept)))
    return inputs


def _lengths(max_length: int) -> list[int]:
    return sorted({min(n, max_length) for n in (*_SHORT, max(1, max_length // 2), max_length)})
