"""The eight verbs for our templates: what a server does, and what the command line calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tvm_embbert.errors import UsageError
from tvm_embbert.project.api import (
    Options,
    ProjectHandler,
    ServerInfo,
    TransportClosedError,
    TransportTimeouts,
)
from tvm_embbert.project.archive import ModelArchive, read_archive
from tvm_embbert.project.device import Device
from tvm_embbert.project.generate import Changes, check_folder, write_manifest, write_project
from tvm_embbert.project.manifest import MANIFEST, Manifest, read_manifest
from tvm_embbert.project.options import checked, of_verb
from tvm_embbert.project.render import COMMON, Renderer, project_files
from tvm_embbert.project.running import run_commands
from tvm_embbert.project.server import SERVER_FILE
from tvm_embbert.project.template import Commands, Template
from tvm_embbert.project.template_file import known_templates, load_template, template_folder
from tvm_embbert.project.transport import Transport
from tvm_embbert.project.values import template_values

ARCHIVE = "model.tar"


class TemplateHandler(ProjectHandler):
    """Serves a template, and a project that was made of it where one is given.

    Parameters
    ----------
    template : Template
        What it is made of.
    project : Path, optional
        Folder of the project.
    """

    def __init__(self, template: Template, project: Path | None = None) -> None:
        self._template, self._project = template, project
        self._transport: Transport | None = None
        self.changes = Changes()

    @property
    def template(self) -> Template:
        """Return the template."""
        return self._template

    @property
    def folder(self) -> Path:
        """Return the project's folder; raise :class:`UsageError` if there is none yet."""
        if self._project is None:
            raise UsageError("This is a template: make a project of it first.", where="project")
        return self._project

    @property
    def archive(self) -> ModelArchive:
        """Return the model that the project was made of."""
        return read_archive(self.folder / ARCHIVE)

    def server_info_query(self, tvm_version: str = "") -> ServerInfo:
        """Tell of the template, or the project."""
        archive = None if self._project is None else self._project / ARCHIVE
        return ServerInfo(self._template.name, archive is None, archive, self._template.options)

    def generate_project(
        self,
        model_library_format_path: Path,
        standalone_crt_dir: Path | None,
        project_dir: Path,
        options: Options,
    ) -> None:
        """Write a project, or write it again; ``changes`` tells what became of each file.

        Raises
        ------
        UsageError
            The folder holds something else, or an option is wrong.
        InputError
            The archive or the template cannot be read.
        """
        check_folder(project_dir)
        old = self._before(project_dir)
        archive = read_archive(model_library_format_path)
        chosen = checked(self._template.options, "generate_project", {**old.options, **options})
        values = template_values(archive, chosen, self._template)
        if "board" in self._template.layout and values["board"] is None:
            raise _no_board(self._template, archive)
        files = {
            **project_files(self._template, archive, values),
            SERVER_FILE: (COMMON / SERVER_FILE).read_bytes(),
            ARCHIVE: archive.path.read_bytes(),
        }
        layout = self._template.layout
        library = [layout[part] for part in ("include", "source") if part in layout]
        project_dir.mkdir(parents=True, exist_ok=True)
        self.changes = write_project(project_dir, files, old.files, library)
        manifest = Manifest(
            _name(self._template), chosen, archive.names.model, _compiled(archive.path)
        )
        write_manifest(project_dir, manifest, files)
        self._project = project_dir

    def _before(self, folder: Path) -> Manifest:
        """Return what was made before; options that the template no longer has are left out."""
        if not (folder / MANIFEST).is_file():
            return Manifest(_name(self._template))
        old = read_manifest(folder)
        if old.template != _name(self._template):
            raise UsageError(
                f"The project was made of the template {old.template!r}.",
                where=str(folder),
                hint="Choose another folder, or that template.",
            )
        known = {option.name for option in of_verb(self._template.options, "generate_project")}
        return replace(old, options={k: v for k, v in old.options.items() if k in known})

    def build(self, options: Options) -> None:
        """Run the template's commands to build; raise :class:`ToolchainError` if one fails."""
        self._run("build", self._template.build, options)

    def flash(self, options: Options) -> None:
        """Run the template's commands to flash, or that of the device's file.

        Raises
        ------
        UsageError
            There is none.
        ToolchainError
            It fails.
        """
        device = self.device("flash", options)
        flasher = device.flasher()
        if flasher is not None and device.image is not None:
            flasher.flash(device.image)
        else:
            self._run("flash", self._template.flash, options)

    def flashes(self, options: Options) -> bool:
        """Return whether there is a command to flash."""
        lines = self._lines(self._template.flash, self._chosen("flash", options))
        return bool(lines) or self.device("flash", options).flasher() is not None

    def open_transport(self, options: Options) -> TransportTimeouts:
        """Start the emulator, or open the serial port."""
        self.close_transport()
        self._transport = self.device("open_transport", options).open()
        return TransportTimeouts()

    def close_transport(self) -> None:
        """Let go of the emulator or the port."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def read_transport(self, n: int, timeout_sec: float | None) -> bytes:
        """Return 1 to n bytes from the device."""
        return self._opened().read(n, timeout_sec)

    def write_transport(self, data: bytes, timeout_sec: float | None) -> None:
        """Send bytes to the device."""
        self._opened().write(data, timeout_sec)

    def device(self, verb: str, options: Options) -> Device:
        """Return the device with some options of a verb."""
        archive, text = self.archive, self._template.image
        values = template_values(archive, self._chosen(verb, options), self._template)
        image = Renderer(self._template.folder, values).text(text, "template.toml")
        path = self.folder / image if image else None
        return Device(self._template, archive, path, values)

    def _chosen(self, verb: str, options: Options) -> dict[str, Any]:
        """Return options of a verb: those given, else those that the project was made with."""
        made = read_manifest(self.folder).options
        names = (option.name for option in of_verb(self._template.options, verb))
        kept = {name: made[name] for name in names if made.get(name) is not None}
        return {**made, **checked(self._template.options, verb, {**kept, **options})}

    def _values(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return template_values(self.archive, options, self._template)

    def _run(self, verb: str, commands: Commands, options: Options) -> None:
        lines = self._lines(commands, self._chosen(verb, options))
        if not lines:
            raise UsageError(
                f"Projects of the template {self._template.name!r} have no command to {verb}.",
                where=str(self.folder),
                hint="See the project's README.",
            )
        run_commands(self.folder, verb, commands, lines)

    def _lines(self, commands: Commands, chosen: Mapping[str, Any]) -> list[list[str]]:
        """Return commands with all that they name; empty arguments and commands are left out."""
        renderer = Renderer(self._template.folder, self._values(chosen))
        rendered = (
            [renderer.text(argument, "template.toml") for argument in line]
            for line in commands.lines
        )
        return [line for line in ([a for a in row if a] for row in rendered) if line]

    def _opened(self) -> Transport:
        if self._transport is None:
            raise TransportClosedError("the transport is not open")
        return self._transport


def _no_board(template: Template, archive: ModelArchive) -> UsageError:
    return UsageError(
        f"Projects of the template {template.name!r} need a bare board.",
        where=f"{archive.path}, compiled for {archive.target.name}",
        supported="models compiled for a device with a serial line, or whose core has an emulator",
        hint="Compile the model for a microcontroller: tvm-embbert targets lists some.",
    )


def _name(template: Template) -> str:
    shipped = known_templates().get(template.name)
    same = shipped is not None and shipped.resolve() == template.folder
    return template.name if same else str(template.folder)


def _compiled(archive: Path) -> str:
    folder = archive.resolve().parent
    return str(folder) if (folder / "compiled.json").is_file() else ""


def open_project(folder: Path) -> TemplateHandler:
    """Return the handler of a project's folder; raise :class:`InputError` if it holds none."""
    manifest = read_manifest(folder)
    return TemplateHandler(load_template(template_folder(manifest.template)), folder)
