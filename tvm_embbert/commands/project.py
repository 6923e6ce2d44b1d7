"""``tvm-embbert project``: projects for boards, made, built, flashed and run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvm_embbert.commands.output import console, note, print_json, progress_wanted

if TYPE_CHECKING:
    from tvm_embbert.project.api import ProjectHandler
    from tvm_embbert.project.template import Template

_VERBS = {
    "templates": "list the templates and their options",
    "create": "make a project of a compiled model, or write one again and keep your changes",
    "build": "build a project with its world's own tools",
    "flash": "write what was built to a board",
    "run": "build and flash where that is needed, and open the console",
    "monitor": "open the console of what runs",
}
_ENDING = ("selftest", "benchmark")
"""Programs that end by themselves."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verbs and their arguments."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, summary in _VERBS.items():
        verb = verbs.add_parser(name, help=summary, description=summary[0].upper() + summary[1:])
        verb.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="print JSON"
        )
        if name != "templates":
            _add_folder(verb)
    _add_source(verbs.choices["create"])
    for name in ("run", "monitor"):
        _add_console(verbs.choices[name])


def _add_folder(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("folder", type=Path, metavar="DIR", help="the project")
    verb.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the template (repeatable); see `project templates`",
    )


def _add_source(create: argparse.ArgumentParser) -> None:
    create.add_argument(
        "--from",
        dest="source",
        type=Path,
        required=True,
        metavar="COMPILED",
        help="a compiled model, or its model.tar",
    )
    create.add_argument(
        "--template",
        required=True,
        metavar="NAME|DIR",
        help="a template of ours, of another package, or a folder with one; also one with a "
        "microtvm_api_server.py",
    )


def _add_console(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--timeout",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="silence after which it is over, once standard input has ended (60)",
    )


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    return int(globals()[f"_{options.verb}"](options))


def _templates(options: argparse.Namespace) -> int:
    from tvm_embbert.project.template_file import known_templates, load_template

    found = [load_template(folder) for folder in known_templates().values()]
    if options.json:
        print_json([_as_json(template) for template in found])
        return 0
    for template in found:
        console().print(f"[bold]{template.name}[/bold]: {template.summary}", highlight=False)
        for option in template.options:
            choices = f" ({', '.join(option.choices)})" if option.choices else ""
            console().print(f"  {option.name}{choices}: {option.help}", highlight=False)
    return 0


def _as_json(template: Template) -> dict[str, Any]:
    options = [asdict(option) for option in template.options]
    return {"name": template.name, "summary": template.summary, "options": options}


def _create(options: argparse.Namespace) -> int:
    from tvm_embbert.project.options import parsed
    from tvm_embbert.project.project import create

    changes = create(options.folder, options.source, options.template, parsed(options.option))
    if options.json:
        print_json({"project": str(options.folder), **vars(changes)})
        return 0
    for what, told in _CHANGES.items():
        for name in getattr(changes, what):
            if what != "added" or len(changes.added) <= _SHOWN:
                console().print(f"{told}: {name}", highlight=False)
    count = len(changes.added)
    console().print(f"{options.folder}: {count} files added", soft_wrap=True, highlight=False)
    return 0


_SHOWN = 5
"""Files of a new project are not listed."""

_CHANGES = {
    "added": "added",
    "updated": "updated",
    "removed": "removed",
    "kept": "kept, as you changed it",
    "beside": "the template's new text is beside it, with .new",
    "set_aside": "replaced; what you changed is beside it, with .old",
}


def _build(options: argparse.Namespace) -> int:
    with _working("building", options), _handler(options) as (handler, chosen):
        handler.build(_taken(handler, "build", chosen))
    return _done(options, "built")


def _flash(options: argparse.Namespace) -> int:
    with _working("flashing", options), _handler(options) as (handler, chosen):
        handler.flash(_taken(handler, "flash", chosen))
    return _done(options, "flashed")


def _run(options: argparse.Namespace) -> int:
    from tvm_embbert.project.project import prepare

    with _handler(options) as (handler, chosen):
        with _working("building", options):
            prepare(handler, chosen)
        return _console(handler, chosen, options)


def _monitor(options: argparse.Namespace) -> int:
    with _handler(options) as (handler, chosen):
        return _console(handler, chosen, options)


def _console(handler: ProjectHandler, chosen: dict[str, str], options: argparse.Namespace) -> int:
    from tvm_embbert.project.console import Console, lines_of, unechoed
    from tvm_embbert.project.project import program_of

    shown = bytearray()

    def show(data: bytes) -> None:
        shown.extend(data)
        if not options.json:
            sys.stdout.write(data.decode("utf-8", "replace").replace("\r", ""))
            sys.stdout.flush()

    program = program_of(handler, chosen)
    ends = program in _ENDING
    handler.open_transport(_taken(handler, "open_transport", chosen))
    try:
        typed = None if ends else sys.stdin.buffer
        with unechoed(typed):
            status = Console(handler, show, ends).run(typed, options.timeout)
    finally:
        handler.close_transport()
    if options.json:
        print_json({"program": program, "status": status, "lines": list(lines_of(bytes(shown)))})
    return EXIT_DIFFERENT if status else 0


EXIT_DIFFERENT = 7


@contextmanager
def _handler(options: argparse.Namespace) -> Iterator[tuple[ProjectHandler, dict[str, str]]]:
    from tvm_embbert.project.options import parsed
    from tvm_embbert.project.project import opened

    with opened(options.folder) as handler:
        yield handler, parsed(options.option)


def _taken(handler: ProjectHandler, verb: str, chosen: dict[str, str]) -> dict[str, Any]:
    from tvm_embbert.project.project import taken

    return taken(handler, verb, chosen)


@contextmanager
def _working(what: str, options: argparse.Namespace) -> Iterator[None]:
    if progress_wanted(options.json):
        with note().status(what):
            yield
    else:
        yield


def _done(options: argparse.Namespace, what: str) -> int:
    if options.json:
        print_json({"project": str(options.folder), what: True})
    else:
        console().print(f"{options.folder}: {what}", soft_wrap=True, highlight=False)
    return 0
