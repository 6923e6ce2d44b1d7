"""What the pages refer to exists: links, folders, make targets, commands and flags."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import pytest
from pages import PAGES, ROOT

from tvm_embbert.cli import _parser

pytestmark = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```$|`[^`\n]+`|^ {4}\S.*$", re.M | re.S)


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def _code(page: Path) -> list[str]:
    return [part.strip("`") for part in _CODE.findall(_text(page))]


_OTHERS = re.compile(r"^ *python -m tvm\..*$", re.M)
"""Calls of TVM's own programs, whose flags are not ours."""


def _commands(page: Path) -> list[list[str]]:
    """Return the arguments of every whole call of the command line."""
    lines = [line for part in _code(page) for line in part.splitlines()]
    found = (re.search(r"(?:^|[$=|] ?)tvm-embbert( .+)", line.strip()) for line in lines)
    return [shlex.split(match[1]) for match in found if match]


def _parsers() -> dict[str, argparse.ArgumentParser]:
    return _subparsers(_parser())


def _subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return {name: sub for action in found for name, sub in action.choices.items()}


def test_relative_links_resolve(page: Path) -> None:
    for link in _LINK.findall(_text(page)):
        path, _, heading = link.partition("#")
        if "://" in link:
            continue
        goal = (page.parent / path).resolve() if path else page
        assert goal.exists(), link
        if heading:
            assert heading in _headings(goal), link


def _headings(page: Path) -> list[str]:
    """Return the anchors that GitHub makes of headings."""
    titles = re.findall(r"^#+ (.*)$", _text(page), re.M)
    return [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]


def test_files_and_folders_exist(page: Path) -> None:
    roots = "tvm_embbert|targets|tests|docs|schedules|scripts"
    for part in _code(page):
        for path in re.findall(rf"^(?:{roots})/[\w./-]*", part):
            assert (ROOT / path).exists(), path


def test_modules_exist(page: Path) -> None:
    """Names such as ``memory/program.py`` are files of the package, wherever they lie."""
    package = ROOT / "tvm_embbert"
    written = set(re.findall(r"<!-- file: (.*?) -->", _text(page)))
    for part in _code(page):
        if re.fullmatch(r"[\w/]+\.py", part) and part not in written:
            assert list(package.rglob(part.removeprefix("tvm_embbert/"))), part


def test_make_targets_exist(page: Path) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)
    for part in _code(page):
        for target in re.findall(r"\bmake ([a-z]+)", part):
            assert target in targets


def test_calls_of_the_command_line_parse(page: Path) -> None:
    for arguments in _commands(page):
        if arguments[0] in _parsers() and len(arguments) > 1:
            _parser().parse_args([a for a in arguments if a != "--help"])
        else:
            assert arguments[0] in [*_parsers(), "COMMAND"]


def test_flags_exist(page: Path) -> None:
    parsers = [p for sub in _parsers().values() for p in (sub, *_subparsers(sub).values())]
    known = {flag for p in parsers for flag in p._option_string_actions}
    for part in _code(page):
        for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]*", _OTHERS.sub("", part)):
            assert flag in known, flag


def test_no_path_of_one_machine(page: Path) -> None:
    assert not re.search(r"(?<![\w.])/(work|home|root|tmp)\b", _text(page))
