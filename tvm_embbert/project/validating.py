"""Validation on the device: a project's program, compared with the model that it was made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tvm_embbert.compiled import CompiledModel
from tvm_embbert.errors import InputError, UsageError
from tvm_embbert.measure.elf_sections import loaded_sections
from tvm_embbert.project.api import Options
from tvm_embbert.project.handler import ARCHIVE, TemplateHandler
from tvm_embbert.project.manifest import read_manifest
from tvm_embbert.project.project import prepare, taken
from tvm_embbert.project.session import ProjectSession
from tvm_embbert.validation import Row, validate

PROGRAM, PROFILE = "validation", "validation-profile"


def compiled_of(folder: Path, compiled: Path | None) -> CompiledModel:
    """Return the compiled model that a project was made of.

    Parameters
    ----------
    folder : Path
        The project.
    compiled : Path, optional
        The compiled model, where it is no longer in the folder that it was in.

    Raises
    ------
    InputError
        It is not there, or another one.
    """
    known = str(compiled or read_manifest(folder).compiled)
    if not known:
        raise InputError(
            "The project was made of an archive alone, without the compiled model around it.",
            where=str(folder),
            hint="Name the compiled model: validate COMPILED --project DIR.",
        )
    model = CompiledModel(known)
    if (model.folder / ARCHIVE).read_bytes() != (folder / ARCHIVE).read_bytes():
        raise InputError(
            "The project was made of another model than this one, or of an older state of it.",
            where=f"{folder} and {model.folder}",
            hint="Write the project again: project create DIR --from COMPILED --template NAME.",
        )
    return model


@contextmanager
def project_session(
    handler: TemplateHandler, given: Options, program: str, timeout_s: float
) -> Iterator[ProjectSession]:
    """Build, flash and open a program that answers the host.

    Raises
    ------
    UsageError
        The template has no such program.
    DeviceError
        It does not answer, or is another one.
    """
    if program not in programs(handler):
        raise UsageError(
            f"Projects of the template {handler.template.name!r} have no program {program!r}.",
            where=str(handler.folder),
            supported="templates with that choice of the option `program`",
        )
    chosen = {**given, "program": program}
    prepare(handler, chosen)
    handler.open_transport(taken(handler, "open_transport", chosen))
    device = handler.device("open_transport", taken(handler, "open_transport", chosen))
    with ProjectSession(handler, device, timeout_s) as session:
        yield session


def programs(handler: TemplateHandler) -> tuple[str, ...]:
    """Return the programs that a project can have."""
    named = (o.choices or () for o in handler.template.options if o.name == "program")
    return next(named, ())


def validate_project(
    handler: TemplateHandler,
    compiled: CompiledModel,
    rows: list[Row],
    given: Options,
    timeout_s: float,
    progress: bool = False,
) -> dict[str, Any]:
    """Compare on labelled rows; see :func:`tvm_embbert.validation.validate`.

    Returns
    -------
    dict
        That function's, and ``device``: bytes of ``arena``, ``stack_used`` (the most so far, of
        the whole program), ``stack`` and ``flash`` (None where the image is not known), and
        ``per_operator``: what an inference of the greatest length took, by operator, in
        ``unit``; None without a program that marks steps.
    """
    with project_session(handler, given, PROGRAM, timeout_s) as session:
        result = validate(compiled, session, rows, progress)
        device = {
            "template": handler.template.name,
            "arena": session.info.arena_size,
            "stack_used": session.stack_used(),
            "stack": session.stack_size,
            "flash": _flash(handler, given),
        }
    counts = _per_operator(handler, compiled, given, timeout_s)
    device |= {"per_operator": counts, "unit": session.unit}
    return {**result, "device": device}


def _flash(handler: TemplateHandler, given: Options) -> int | None:
    chosen = taken(handler, "open_transport", {**given, "program": PROGRAM})
    elf = handler.device("open_transport", chosen).image
    return None if elf is None else sum(len(section.data) for section in loaded_sections(elf))


def _per_operator(
    handler: TemplateHandler, compiled: CompiledModel, given: Options, timeout_s: float
) -> dict[str, int] | None:
    if PROFILE not in programs(handler):
        return None
    rng = np.random.default_rng(0)
    ids = rng.integers(1, compiled.report["model"]["vocabulary"], compiled.max_length)
    with project_session(handler, given, PROFILE, timeout_s) as session:
        steps = session.profile(ids)
    totals: dict[str, int] = {}
    for step, count in zip(compiled.report["steps"], steps, strict=True):
        totals[step["operator"]] = totals.get(step["operator"], 0) + count
    return totals
