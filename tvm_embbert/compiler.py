"""From a model's folder to a compiled model: the stages in their order."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tvm_embbert import compat
from tvm_embbert.building import build
from tvm_embbert.codegen.names import identifier
from tvm_embbert.compiled import CompiledModel
from tvm_embbert.errors import BudgetError, UsageError
from tvm_embbert.frontend.torch_frontend import from_torch
from tvm_embbert.lowering import DEFAULT_MEMORY, Lowered, MemoryOptions, lower, with_budget
from tvm_embbert.models.checkpoint import Model, load_model
from tvm_embbert.models.text import synthetic_sentences
from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.quantize.quantize import quantize
from tvm_embbert.target import Target
from tvm_embbert.target_file import load_target
from tvm_embbert.transform.pipeline import simplify
from tvm_embbert.tune.schedules import Schedules, choose_schedules

FIT = "fit"
"""A maximum length that stands for the longest input that the device has RAM for."""


def import_model(model: Model, max_length: int | None = None) -> compat.Module:
    """Import a model into Relax and simplify it; ``.show()`` prints the result.

    Parameters
    ----------
    model : Model
        See :func:`tvm_embbert.load_model`.
    max_length : int, optional
        Longest input in tokens; the model's own where it is not given.
    """
    length = model.max_length if max_length is None else max_length
    if length > model.max_length:
        raise UsageError(
            f"A maximum length of {length} tokens is more than the model knows.",
            where="max_length",
            supported=f"4 to {model.max_length} tokens",
        )
    return simplify(from_torch(model.module, length))


def calibration_ids(
    model: Model, sentences: Sequence[str] | None = None, max_length: int | None = None
) -> list[list[int]]:
    """Return token ids to calibrate with.

    Parameters
    ----------
    model : Model
        Its tokenizer is used.
    sentences : sequence of str, optional
        Calibration text; else the model's own, else random tokens, which a warning says.
    max_length : int, optional
        Longest sentence in tokens; the rest is cut off.
    """
    length = max_length or model.max_length
    texts = model.calibration if sentences is None else sentences
    if texts:
        return [model.encoder.encode(text, length) for text in texts]
    warnings.warn(
        f"{model.name} comes without calibration.txt: scales are set on random tokens. "
        "Give some tens of typical sentences with --calibration.",
        stacklevel=2,
    )
    return synthetic_sentences(model.vocab_size, model.encoder.cls_token, length)


def quantize_model(
    model: Model,
    max_length: int | None = None,
    sentences: Sequence[str] | None = None,
    progress: bool = False,
) -> IntegerModule:
    """Import and quantise a model; see :func:`import_model` and :func:`calibration_ids`."""
    mod = import_model(model, max_length)
    ids = calibration_ids(model, sentences, max_length)
    return quantize(mod, ids, pad_token=model.pad_token, progress=progress)


def lower_model(
    model: Model,
    module: IntegerModule,
    target: Target | str,
    name: str | None = None,
    overrides: Mapping[str, str] | None = None,
    memory: MemoryOptions = DEFAULT_MEMORY,
    schedules: Schedules | None = None,
) -> Lowered:
    """Lower a quantised model for a target, with the model's name, labels and vocabulary."""
    chosen = identifier(model.name) if name is None else name
    labels, vocabulary = model.labels, model.vocab_size
    return lower(module, target, chosen, labels, vocabulary, overrides, memory, schedules)


SYSTEM_BYTES = 4096
"""RAM that is kept for stack and static data when a budget is spent on a faster model; what they
take is known once the image is linked."""


def compile_model(
    model: Model | str | Path,
    target: Target | str,
    out: Path | str,
    max_length: int | str | None = None,
    ram: int | None = None,
    flash: int | None = None,
    sentences: Sequence[str] | None = None,
    name: str | None = None,
    overrides: Mapping[str, str] | None = None,
    measure: bool = True,
    progress: bool = False,
    memory: MemoryOptions = DEFAULT_MEMORY,
    debug: bool = False,
    schedules: Path | str | None = None,
) -> CompiledModel:
    """Run all stages.

    Parameters
    ----------
    model : Model, str or Path
        A model, its folder, or the name of a shipped one.
    target : Target or str
        A device, its name or its file.
    out : Path or str
        Folder to write.
    max_length : int or "fit", optional
        Longest input in tokens; :data:`FIT` for the longest that the device has RAM for, up to the
        model's own.
    ram, flash : int, optional
        Budget in bytes in the place of the device's own. Of the points that tuning measured, the
        fastest is taken whose arena the RAM has room for.
    sentences : sequence of str, optional
        Calibration text.
    name : str, optional
        Name of the C library.
    overrides : mapping, optional
        Implementation to use, by operator or call.
    measure, progress : bool
        Count instructions on the emulator; show progress.
    memory : MemoryOptions
        How memory is saved and planned.
    debug : bool
        Build what checks itself; see :func:`tvm_embbert.build`.
    schedules : Path or "none", optional
        Folder of tuned records, or none; those that ship where it is not given.
    """
    device = load_target(target) if isinstance(target, str) else target
    device = with_budget(device, ram, flash)
    loaded = model if isinstance(model, Model) else load_model(model)
    spent = memory if ram is None else replace(memory, arena=max(0, ram - SYSTEM_BYTES))

    def compiled(length: int | None) -> CompiledModel:
        module = quantize_model(loaded, length, sentences, progress)
        tuned = choose_schedules(schedules, device.core)
        lowered = lower_model(loaded, module, device, name, overrides, spent, tuned)
        return build(lowered, out, loaded, measure, debug)

    return _longest(compiled) if max_length == FIT else compiled(_tokens(max_length))


def _longest(compiled: Callable[[int | None], CompiledModel]) -> CompiledModel:
    """Return a model compiled for its own greatest length, or for the greatest that fits."""
    try:
        return compiled(None)
    except BudgetError as error:
        if error.fitting_length is None:
            raise
        return compiled(error.fitting_length)


def _tokens(max_length: int | str | None) -> int | None:
    if isinstance(max_length, str):
        raise UsageError(
            f"{max_length!r} is no maximum length.",
            where="max_length",
            supported=f"a number of tokens, or {FIT!r}",
        )
    return max_length
