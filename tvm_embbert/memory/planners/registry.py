"""The registry of planning algorithms.

All modules of this package register what they define when the registry is first used, so that a new
algorithm adds a file only. Other packages name modules of theirs in the entry point group
``tvm_embbert.planners``; :func:`load_planner_file` loads a single file.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import ModuleType

from tvm_embbert.errors import UsageError
from tvm_embbert.extensions import load_entry_points, load_modules, load_python_file
from tvm_embbert.memory.problem import Algorithm

_PLANNERS: dict[str, Algorithm] = {}
ENTRY_POINTS = "tvm_embbert.planners"


def register_planner(name: str) -> Callable[[Algorithm], Algorithm]:
    """Register a planning algorithm (decorator); a later one of the same name takes its place."""

    def register(algorithm: Algorithm) -> Algorithm:
        _PLANNERS[name] = algorithm
        return algorithm

    return register


@cache
def _load_all() -> None:
    load_modules("tvm_embbert.memory.planners")
    load_entry_points(ENTRY_POINTS)


def load_planner_file(path: Path) -> ModuleType:
    """Run a Python file that registers planning algorithms of the user's own."""
    _load_all()  # first, so that the user's take the place of others of the same name
    return load_python_file(path, "planner")


def planner_names() -> list[str]:
    """Return the names of all planning algorithms, sorted."""
    _load_all()
    return sorted(_PLANNERS)


def planner(name: str) -> Algorithm:
    """Return a planning algorithm by name.

    Raises
    ------
    UsageError
        There is none of that name.
    """
    names = planner_names()
    if name not in names:
        near = get_close_matches(name, names, 1)
        raise UsageError(
            f"There is no planning algorithm named {name!r}.",
            supported=", ".join(names),
            hint=f"Did you mean {near[0]}?" if near else "",
        )
    return _PLANNERS[name]
