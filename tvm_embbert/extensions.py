"""Finding what registers itself: modules of a package, entry points of others, single files."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from tvm_embbert.errors import EmbBertError, InputError


def load_modules(package: str) -> None:
    """Import all modules below a package."""
    found = importlib.import_module(package)
    for module in pkgutil.walk_packages(found.__path__, package + "."):
        importlib.import_module(module.name)


def load_entry_points(group: str) -> None:
    """Import the modules that other packages name in an entry point group.

    Raises
    ------
    InputError
        One of them cannot be imported.
    """
    for entry in entry_points(group=group):
        load_entry_point(entry, "a module that registers something when it is imported")


def load_entry_point(
    entry: EntryPoint,
    supported: str,
    convert: Callable[[Any], Any] = lambda found: found,
    raised: type[EmbBertError] = InputError,
) -> Any:
    """Return what an entry point of another package names, converted.

    Raises
    ------
    InputError, or what `raised` names
        It cannot be loaded, or is nothing that can be converted; `supported` says what can.
    """
    try:
        return convert(entry.load())
    # Other packages' code runs here; whatever it raises, the user must learn whose it is.
    except Exception as error:
        raise raised(
            f"The entry point {entry.name!r} cannot be loaded: {error}",
            where=f"{entry.group}: {entry.value}",
            supported=supported,
            hint="Repair or uninstall the package that declares it.",
        ) from error


def load_python_file(path: Path, kind: str) -> ModuleType:
    """Run a Python file of the user's own; `kind` names it in errors.

    Raises
    ------
    InputError
        The file is missing, or no Python file.
    """
    if not path.is_file():
        raise InputError(f"There is no such {kind} file.", where=str(path))
    spec = importlib.util.spec_from_file_location(f"tvm_embbert_user_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"A {kind} file must be a Python file.", where=str(path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
