"""Build a lowered model: C library, image, archive and report, in one folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from tvm_embbert import compat
from tvm_embbert.codegen.archive import Contents, write_archive
from tvm_embbert.codegen.vectors import self_test_vectors
from tvm_embbert.compiled import MODEL_FILES, CompiledModel, library_sources
from tvm_embbert.fitting import link_fitting
from tvm_embbert.folder import MARKER, replaced_folder, write_text
from tvm_embbert.lowering import Lowered
from tvm_embbert.measure import EmulatorSession, Image, build_image
from tvm_embbert.models.checkpoint import Model
from tvm_embbert.report.build_report import Counts, instructions
from tvm_embbert.report.write import write_report
from tvm_embbert.target_json import target_to_json


def build(
    lowered: Lowered,
    out: Path | str,
    model: Model | None = None,
    measure: bool = True,
    debug: bool = False,
) -> CompiledModel:
    """Compile and link a lowered model, and check it against the device's memory.

    Parameters
    ----------
    lowered : Lowered
        Program, plan and target.
    out : Path or str
        Folder to write; an earlier compiled model there is replaced, anything else is an error.
    model : Model, optional
        The float model and its tokenizer, kept beside the image for `run` on text and `validate`.
    measure : bool
        Count the instructions of an inference at the greatest length on the emulator.
    debug : bool
        Keep what debuggers need, and check after each inference that nothing was written beside the
        arena's pools or over the stack's end (:class:`DeviceError` tells); on this machine, stop at
        undefined behaviour as well.

    Raises
    ------
    BudgetError
        The linked image takes more than the device gives.
    ToolchainError
        A compiler or the emulator is missing, or fails.
    """
    with replaced_folder(Path(out)) as work:
        linked = link_fitting(lowered, work, _total if measure else None, debug)
        lowered, report = linked.lowered, linked.report
        if measure and isinstance(linked.built, Image):
            report["instructions"] = instructions(lowered, _count(lowered, linked.built, work))
        write_archive(work / "model.tar", _contents(lowered, report, model))
        _write_metadata(lowered, work, model)
        write_report(work, report)
    return CompiledModel(Path(out))


def _total(image: Image, lowered: Lowered) -> int:
    """Return the instructions of one inference of the greatest length."""
    with EmulatorSession(image) as session:
        return session.infer(_longest(lowered)).instructions or 0


def _longest(lowered: Lowered) -> list[int]:
    """Return token ids of the greatest length."""
    drawn = np.random.default_rng(0).integers(1, lowered.interface.vocabulary, lowered.plan.length)
    ids: list[int] = drawn.tolist()
    return ids


def _count(lowered: Lowered, image: Image, work: Path) -> Counts:
    """Run one inference of the greatest length, and once more with a mark at each step."""
    sources = library_sources(work, lowered.names)
    profiling = build_image(sources, lowered.target, work / "profile", profile=True)
    with EmulatorSession(profiling) as session:
        steps = session.profile(_longest(lowered))
    shutil.rmtree(work / "profile")
    return Counts(lowered.plan.length, _total(image, lowered), steps)


def _contents(lowered: Lowered, report: dict[str, Any], model: Model | None) -> Contents:
    """Return what goes into the archive; the report is the final one."""
    module, interface = lowered.program.source, lowered.interface
    first = model.encoder.cls_token if model else None
    vectors = self_test_vectors(module, interface.vocabulary, lowered.plan.length, first)
    numbers = tuple(str(i) for i in range(lowered.program.outputs))
    labels = () if interface.labels == numbers else interface.labels
    return Contents(
        lowered.library, lowered.program, lowered.plan, lowered.target, labels, report, vectors
    )


def _write_metadata(lowered: Lowered, work: Path, model: Model | None) -> None:
    module = lowered.program.source
    write_text(work / "integer.json", compat.to_json(module.mod))
    if model is not None:
        (work / "model").mkdir()
        for name in MODEL_FILES:
            if (model.folder / name).is_file():
                shutil.copyfile(model.folder / name, work / "model" / name)
    metadata = {
        "version": 1,
        "name": lowered.names.model,
        "target": target_to_json(lowered.target),
        "scales": module.scales,
        "pad_token": module.pad_token,
        "has_model": model is not None,
    }
    write_text(work / MARKER, json.dumps(metadata, indent=2) + "\n")
