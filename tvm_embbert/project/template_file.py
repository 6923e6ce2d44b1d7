"""Finding and reading templates: ours, those of other packages, and any folder."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

from tvm_embbert.errors import UsageError
from tvm_embbert.extensions import load_entry_point
from tvm_embbert.project.api import VERBS, ProjectOption
from tvm_embbert.project.template import PARTS, TRANSPORTS, Commands, Template
from tvm_embbert.target_checks import require_one_of
from tvm_embbert.toml_table import Table, open_table

SHIPPED = Path(__file__).parent / "templates"
ENTRY_POINTS = "tvm_embbert.templates"
"""Entry points of other packages, each naming a template's folder (``str`` or ``Path``)."""

DESCRIPTION = "template.toml"

_KEYS = ("summary", "layout", "option", "build", "flash", "transport")
_OPTION_KEYS = ("name", "help", "type", "choices", "default", "required", "optional")
_UNITS = {"qemu": "instructions", "serial": "cycles"}
_TYPES = ("str", "int", "bool")

_SERIAL_VERBS = ("generate_project", "flash", "open_transport")
_SERIAL_OPTIONS = (
    ProjectOption("port", "serial port, such as /dev/ttyACM0", optional=_SERIAL_VERBS),
    ProjectOption("baud", "bits in a second", type="int", optional=_SERIAL_VERBS),
)
"""Options of each template whose boards may be reached by a serial line."""


def known_templates() -> dict[str, Path]:
    """Return the folders of templates by their names: ours, and those of entry points."""
    own = {p.parent.name: p.parent for p in sorted(SHIPPED.glob(f"*/{DESCRIPTION}"))}
    supported = "an object that is the path of a template's folder"
    others = {
        entry.name: load_entry_point(entry, supported, Path)
        for entry in entry_points(group=ENTRY_POINTS)
    }
    return {**others, **own}


def template_folder(name: str) -> Path:
    """Return the folder of a template by its name or path; raise :class:`UsageError` if none is."""
    known = known_templates()
    if name in known:
        return known[name]
    if Path(name).is_dir():
        return Path(name)
    raise UsageError(
        f"There is no template {name!r}.",
        where="--template",
        supported=", ".join(known) + ", or the folder of one",
    )


def load_template(folder: Path) -> Template:
    """Read a template; raise :class:`TargetError` for what its description cannot say."""
    table = open_table(folder / DESCRIPTION, _KEYS)
    with table.locate():
        transport = table.table("transport", ("kind", "image", "unit"))
        kind = transport.text("kind")
        require_one_of("transport.kind", kind, TRANSPORTS)
        layout = table.table("layout", PARTS) if "layout" in table.values else None
        return Template(
            name=folder.resolve().name,
            summary=table.text("summary"),
            folder=folder.resolve(),
            layout={k: layout.text(k) for k in layout.values} if layout else {},
            options=(*_options(table), *(_SERIAL_OPTIONS if kind in ("serial", "board") else ())),
            build=_commands(table, "build"),
            flash=_commands(table, "flash"),
            transport=kind,
            image=transport.text("image") if "image" in transport.values else "",
            unit=transport.text("unit") if "unit" in transport.values else _UNITS.get(kind, ""),
        )


def _options(table: Table) -> Iterator[ProjectOption]:
    for number, values in enumerate(table.values.get("option", [])):
        yield _option(Table(table.path, f"option {number + 1}", values, _OPTION_KEYS))


def _option(table: Table) -> ProjectOption:
    def texts(key: str) -> tuple[str, ...] | None:
        return table.texts(key) if key in table.values else None

    kind = table.text("type") if "type" in table.values else "str"
    with table.locate():
        require_one_of("type", kind, _TYPES)
        for verb in (texts("required") or ()) + (texts("optional") or ()):
            require_one_of("required", verb, VERBS)
    return ProjectOption(
        name=table.text("name"),
        help=table.text("help"),
        type=kind,
        choices=texts("choices"),
        default=table.values.get("default"),
        required=texts("required"),
        optional=texts("optional"),
    )


def _commands(table: Table, verb: str) -> Commands:
    if verb not in table.values:
        return Commands()
    own = table.table(verb, ("commands", "needs"))
    lines = own.get("commands", "a list of commands")
    if not isinstance(lines, list) or not all(isinstance(line, list) for line in lines):
        raise own.error("commands", "They are no list of lists.", 'such as [["make", "all"]]')
    needs = own.table("needs") if "needs" in own.values else None
    return Commands(
        tuple(tuple(str(argument) for argument in line) for line in lines),
        {name: needs.text(name) for name in needs.values} if needs else {},
    )
