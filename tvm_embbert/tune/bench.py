"""A program of candidates: packed to be sent, built, and run candidate by candidate.

Light on purpose: a server of a farm imports this anew for each image, and nothing of the compiler.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tvm_embbert.measure.emulator import EmulatorSession
from tvm_embbert.measure.image import Image, build_image
from tvm_embbert.measure.map_file import Piece, read_map
from tvm_embbert.measure.session import Session
from tvm_embbert.measure.sources import ModelSources
from tvm_embbert.target import Target

NAME = "bench"
PREPARE, RUN, CHECK = 0, 1, 2
STACK_BYTES = 8192
TIMEOUT_S = 60.0
"""Seconds that a candidate may run."""

COMPILE_S = 60.0
"""Seconds for a candidate's compilation: usual ones take one, and halves try it again."""

Files = Mapping[str, bytes]
"""The program's files by their names: C, headers and ``blob.bin``."""


@dataclass(frozen=True)
class Outcome:
    """What a candidate took.

    Attributes
    ----------
    count : int or None
        Of one run, in the meter's unit; None if the counter ran over.
    differs : bool
        Whether any byte was wrong.
    functions : dict
        Bytes of the code, by function: of the kernel, and of the intrinsics that it calls as far as
        they were not inlined.
    """

    count: int | None
    differs: bool
    functions: dict[str, int]


def packed(files: Files) -> bytes:
    """Return a program's files as a ZIP archive."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return archive.getvalue()


def unpacked(archive: bytes) -> dict[str, bytes]:
    """Return the files of an archive that :func:`packed` made."""
    with zipfile.ZipFile(io.BytesIO(archive)) as made:
        return {name: made.read(name) for name in made.namelist()}


def build_bench(files: Files, target: Target, folder: Path, link: str = "semihosting") -> Image:
    """Build a program's image inside an empty folder.

    Parameters
    ----------
    link : str
        See :func:`tvm_embbert.measure.build_image`.

    Raises
    ------
    ToolchainError
        A candidate does not compile.
    """
    sources = folder / "sources"
    sources.mkdir()
    for name, content in files.items():
        # An archive's names could lead elsewhere.
        (sources / Path(name).name).write_bytes(content)
    written = tuple(sources / name for name in files if name.endswith(".c"))
    model, out = ModelSources(NAME, written, sources), folder / "image"
    return build_image(model, target, out, False, STACK_BYTES, link=link, compile_s=COMPILE_S)


def emulated(files: Files, candidates: int, target: Target) -> list[Outcome]:
    """Build a program and run each of its candidates in the target's emulator.

    Raises
    ------
    ToolchainError
        A candidate does not compile, or a tool is missing.
    DeviceError
        A candidate crashed, or took longer than :data:`TIMEOUT_S`.
    """
    with tempfile.TemporaryDirectory(prefix="tvm-embbert-tune-") as folder:
        image = build_bench(files, target, Path(folder))
        with EmulatorSession(image, TIMEOUT_S) as session:
            return run_bench(image, candidates, session)


def run_bench(image: Image, candidates: int, session: Session) -> list[Outcome]:
    """Run each of an image's candidates in a session."""
    functions = function_bytes(image, candidates)
    return [_run_one(session, number, found) for number, found in enumerate(functions)]


def _run_one(session: Session, number: int, functions: dict[str, int]) -> Outcome:
    session.infer([number, PREPARE])
    answer = session.infer([number, RUN])
    count = answer.cycles if answer.instructions is None else answer.instructions
    return Outcome(count, bool(session.infer([number, CHECK]).logits[0]), functions)


def function_bytes(image: Image, candidates: int) -> list[dict[str, int]]:
    """Return the bytes of each candidate's code, by function; see :class:`Outcome`."""
    pieces = [p for p in read_map(image.map_file).pieces if p.of_model and p.output == ".text"]
    files = [Path(kernel_file(number)).stem for number in range(candidates)]
    return [_functions(p for p in pieces if _source(p) == file) for file in files]


def _source(piece: Piece) -> str:
    # An object is called NNN_<source>.o.
    return Path(piece.file).stem[4:]


def _functions(pieces: Iterable[Piece]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for piece in pieces:
        name = piece.name.removeprefix(".text.").partition(".")[0]
        sizes[name] = sizes.get(name, 0) + piece.size
    return sizes


def kernel_file(number: int) -> str:
    """Return the name of the source of a candidate's kernel and its intrinsics."""
    return f"kernel_{number}.c"
