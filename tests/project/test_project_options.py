"""Options of templates: types, choices, defaults, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tvm_embbert.errors import UsageError
from tvm_embbert.project.api import ProjectOption
from tvm_embbert.project.options import checked, of_verb, parsed

OPTIONS = (
    ProjectOption("board", "which board", required=("generate_project",)),
    ProjectOption("fast", "hurry", type="bool", default=False, optional=("generate_project",)),
    ProjectOption("baud", "speed", type="int", default=9600, optional=("open_transport",)),
    ProjectOption("kind", "sort", choices=("a", "b"), default="a", optional=("generate_project",)),
)


def test_defaults_and_types() -> None:
    given = {"board": "x", "fast": "yes"}
    assert checked(OPTIONS, "generate_project", given) == {"board": "x", "fast": True, "kind": "a"}
    assert checked(OPTIONS, "open_transport", {"baud": "0x100"}) == {"baud": 256}
    assert checked(OPTIONS, "build", {}) == {}
    assert [o.name for o in of_verb(OPTIONS, "open_transport")] == ["baud"]


@pytest.mark.parametrize(
    ("verb", "given", "told"),
    [
        ("generate_project", {}, "'board' is missing"),
        ("generate_project", {"board": "x", "fst": 1}, "no option 'fst'"),
        ("generate_project", {"board": "x", "baud": 1}, "no option 'baud'"),
        ("generate_project", {"board": "x", "kind": "c"}, "cannot be 'c'"),
        ("generate_project", {"board": "x", "fast": "maybe"}, "cannot be 'maybe'"),
        ("open_transport", {"baud": "quick"}, "cannot be 'quick'"),
    ],
)
def test_what_is_refused(verb: str, given: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        checked(OPTIONS, verb, given)


def test_pairs_of_the_command_line() -> None:
    assert parsed(["a=b", "c=d=e", "f="]) == {"a": "b", "c": "d=e", "f": ""}
    for bad in ("a", "=b"):
        with pytest.raises(UsageError, match="no option a value"):
            parsed([bad])
