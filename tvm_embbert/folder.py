"""Write a folder all at once: into a temporary neighbour first, which then takes its name."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tvm_embbert.errors import UsageError

MARKER = "compiled.json"


@contextmanager
def replaced_folder(out: Path) -> Iterator[Path]:
    """Yield a folder to fill; it becomes `out` if nothing is raised, and vanishes otherwise.

    Raises
    ------
    UsageError
        `out` exists and holds something else than a compiled model.
    """
    _check_replaceable(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    work.chmod(0o755)
    try:
        yield work
        _swap(work, out)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _check_replaceable(out: Path) -> None:
    if out.is_dir() and ((out / MARKER).is_file() or not any(out.iterdir())):
        return
    if out.exists() or out.is_symlink():
        raise UsageError(
            "The output folder exists and holds something else.",
            where=str(out),
            supported="a new folder, an empty one, or an earlier compiled model",
            hint="Choose another folder with --out.",
        )


def _swap(work: Path, out: Path) -> None:
    """Put `work` in the place of `out`, keeping the old folder until that has worked."""
    old = Path(tempfile.mkdtemp(prefix=f".{out.name}-old-", dir=out.parent))
    try:
        if out.exists():
            out.rename(old / out.name)
        work.rename(out)
    finally:
        shutil.rmtree(old, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a file in UTF-8; see :func:`write_bytes`."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file by way of a temporary one, so that it is never half written."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(data)
    temporary.replace(path)
