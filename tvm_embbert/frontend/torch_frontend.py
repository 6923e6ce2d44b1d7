"""PyTorch to Relax: ``torch.export`` with a symbolic length, then TVM's own front end."""

from __future__ import annotations

import warnings

import torch
from torch import nn

from tvm_embbert import compat
from tvm_embbert.errors import InputError, UsageError

EXAMPLE_LENGTH = 12
"""Tokens of the example that ``torch.export`` traces; any length from 3 on gives the same graph."""


def from_torch(model: nn.Module, max_length: int) -> compat.Module:
    """Import a model of token ids into Relax.

    Parameters
    ----------
    model : torch.nn.Module
        Maps token ids, int64 (1, n), to logits, float32 (1, labels), for n up to `max_length`.
    max_length : int
        Longest sentence, in tokens. It bounds the symbolic length, hence all memory.

    Returns
    -------
    IRModule
        ``main`` takes ids, int64 (1, n), with n symbolic; parameters are constants.

    Raises
    ------
    UsageError
        `max_length` is below 4.
    InputError
        ``torch.export`` or TVM's front end cannot take the model; the message says where.
    """
    if max_length < 4:
        raise UsageError(
            f"A maximum length of {max_length} tokens is too short.",
            where="max_length",
            supported="4 tokens or more",
        )
    try:
        return compat.import_exported(_export(model.eval(), max_length))
    except Exception as error:
        raise InputError(
            "The model could not be imported into TVM.",
            where=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            supported="models that torch.export traces and TVM's Relax front end knows",
            hint="Avoid control flow that depends on data; take token ids of shape (1, n).",
        ) from error


def _export(model: nn.Module, max_length: int) -> torch.export.ExportedProgram:
    example = torch.ones(1, min(EXAMPLE_LENGTH, max_length - 1), dtype=torch.int64)
    length = torch.export.Dim("length", min=2, max=max_length)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.export.export(model, (example,), dynamic_shapes=({1: length},))
