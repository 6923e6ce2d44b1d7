"""What is done with projects, whatever handler serves them: ours, or one in another process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tvm_embbert.errors import DeviceError, UsageError
from tvm_embbert.project.api import (
    IoTimeoutError,
    Options,
    ProjectHandler,
    TransportClosedError,
)
from tvm_embbert.project.client import RemoteHandler, has_server
from tvm_embbert.project.generate import Changes
from tvm_embbert.project.handler import ARCHIVE, TemplateHandler, open_project
from tvm_embbert.project.manifest import MANIFEST, read_manifest
from tvm_embbert.project.options import of_verb
from tvm_embbert.project.template_file import DESCRIPTION, load_template, template_folder


def create(folder: Path, source: Path, template: str, options: Options) -> Changes:
    """Make a project, or write it again.

    Parameters
    ----------
    folder : Path
        The project.
    source : Path
        A compiled model's folder, or its archive.
    template : str
        Name or folder of a template; or a folder with a server of the Project API.
    options : mapping
        Values of the template's options.

    Returns
    -------
    Changes
        What became of each file; a server elsewhere tells nothing.
    """
    archive = source / ARCHIVE if source.is_dir() else source
    made_of = template_folder(template)
    if (made_of / DESCRIPTION).is_file() or not has_server(made_of):
        handler = TemplateHandler(load_template(made_of))
        handler.generate_project(archive, None, folder, options)
        return handler.changes
    if folder.exists():
        raise UsageError("The folder exists.", where=str(folder), supported="a new folder")
    with RemoteHandler(made_of) as remote, _device_errors(folder):
        remote.generate_project(archive, None, folder, options)
    return Changes()


@contextmanager
def opened(folder: Path) -> Iterator[ProjectHandler]:
    """Yield the handler of a project; of one that a server elsewhere made, that server's.

    Raises
    ------
    InputError
        The folder holds no project.
    DeviceError
        The transport failed.
    """
    if not (folder / MANIFEST).is_file() and has_server(folder):
        with RemoteHandler(folder) as remote, _device_errors(folder):
            yield remote
        return
    handler = open_project(folder)
    with _device_errors(folder):
        try:
            yield handler
        finally:
            handler.close_transport()


@contextmanager
def _device_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except (IoTimeoutError, TransportClosedError) as error:
        raise DeviceError(f"The device did not answer: {error}.", where=str(folder)) from error


def taken(handler: ProjectHandler, verb: str, given: Options) -> dict[str, Any]:
    """Return those of some options that a verb takes.

    Raises
    ------
    UsageError
        None of the verbs takes an option.
    """
    options = handler.server_info_query("").project_options
    for name in given:
        if name not in {o.name for o in options}:
            known = ", ".join(sorted(o.name for o in options))
            raise UsageError(f"There is no option {name!r}.", where="--option", supported=known)
    names = {o.name for o in of_verb(options, verb)}
    return {name: value for name, value in given.items() if name in names}


def prepare(handler: ProjectHandler, given: Options) -> None:
    """Build a project, and flash it where its boards are flashed."""
    handler.build(taken(handler, "build", given))
    flashing = taken(handler, "flash", given)
    if not isinstance(handler, TemplateHandler) or handler.flashes(flashing):
        handler.flash(flashing)


def program_of(handler: ProjectHandler, given: Mapping[str, Any]) -> str:
    """Return the program that runs with some options, "" where there is no choice."""
    options = {o.name: o for o in handler.server_info_query("").project_options}
    if "program" not in options:
        return ""
    made = read_manifest(handler.folder).options if isinstance(handler, TemplateHandler) else {}
    return str(given.get("program") or made.get("program") or options["program"].default or "")
