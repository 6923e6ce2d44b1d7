"""The small model as files and as a shared library, and a way to call it."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_module import (
    LABELS,
    MAX_LENGTH,
    NAME,
    VOCABULARY,
    macro,
    small_library,
    small_module,
)

from tvm_embbert.codegen.library import Library
from tvm_embbert.quantize.integer_module import IntegerModule

CANARY = 0x5A
MARGIN = 64


class Caller:
    """Calls the model's functions with guarded memory; every array has canaries around it."""

    def __init__(self, path: Path, arena_size: int, alignment: int) -> None:
        self._library: Any = ctypes.CDLL(str(path))
        self.arena_size, self._alignment = arena_size, alignment
        self.logits = self.arena = np.zeros(0, np.uint8)
        self.fresh(CANARY)

    def fresh(self, fill: int) -> None:
        """Take new memory for logits and arena, filled with a byte."""
        self.fill = fill
        size = 2 * len(LABELS) + 2 * MARGIN
        self.logits = np.full(size, fill, np.uint8)
        whole = np.full(self.arena_size + 2 * MARGIN + self._alignment, fill, np.uint8)
        start = -whole.ctypes.data % self._alignment
        self.arena = whole[start : start + self.arena_size + 2 * MARGIN]

    def infer(self, ids: list[int], /, **changes: Any) -> int:
        """Call ``infer``; `changes` replace an argument by name."""
        # As on a device: room for the longest input, whatever length the model is told.
        tokens = np.array([*ids, *[1] * (MAX_LENGTH - len(ids))], np.int32)
        arguments = {
            "ids": tokens.ctypes.data,
            "length": len(ids),
            "logits": self.logits.ctypes.data + MARGIN,
            "arena": self.arena.ctypes.data + MARGIN,
            "arena_size": self.arena_size,
        } | changes
        types = (ctypes.c_void_p, ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
        values = (t(v) for t, v in zip(types, arguments.values(), strict=True))
        return int(getattr(self._library, f"tvmgen_{NAME}_infer")(*values))

    def run(self, inputs: Any, outputs: Any, pools: Any) -> int:
        """Call microTVM's ``run``; each argument is an address, or None for a null struct."""
        structs = [
            None if a is None else ctypes.byref(ctypes.c_void_p(a))
            for a in (inputs, outputs, pools)
        ]
        return int(getattr(self._library, f"tvmgen_{NAME}_run")(*structs))

    def result(self) -> np.ndarray:
        return self.logits[MARGIN:-MARGIN].view(np.int16)

    def untouched(self) -> bool:
        """Return whether nothing at all was written."""
        return bool((self.logits == self.fill).all() and (self.arena == self.fill).all())

    def margins_intact(self) -> bool:
        around = [a[part] for a in (self.logits, self.arena) for part in _MARGINS]
        return all((a == self.fill).all() for a in around)


_MARGINS = (slice(None, MARGIN), slice(-MARGIN, None))


@pytest.fixture(scope="session")
def module() -> IntegerModule:
    return small_module()


@pytest.fixture(scope="session")
def library() -> Library:
    return small_library()


@pytest.fixture(scope="session")
def folder(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the library's files are written to."""
    made = tmp_path_factory.mktemp("small")
    library.write(made)
    return made


@pytest.fixture(scope="session")
def sources(folder: Path) -> list[str]:
    return [str(path) for path in sorted((folder / "src").glob("*.c"))]


@pytest.fixture(scope="session")
def shared_library(folder: Path, sources: list[str]) -> Path:
    path = folder / "small.so"
    command = ["gcc", "-std=c99", "-O2", "-shared", "-fPIC", f"-I{folder / 'include'}"]
    subprocess.run([*command, *sources, "-o", str(path)], check=True)
    return path


@pytest.fixture
def make_caller(library: Library, shared_library: Path) -> Callable[[], Caller]:
    header = library.files[f"include/tvmgen_{NAME}.h"]
    size = macro(header, "SRAM_WORKSPACE_POOL_SIZE")
    return lambda: Caller(shared_library, size, macro(header, "WORKSPACE_POOL_ALIGNMENT"))


@pytest.fixture
def caller(make_caller: Callable[[], Caller]) -> Caller:
    return make_caller()


@pytest.fixture(scope="session")
def sentences() -> list[list[int]]:
    """Return sentences of every length, with padding inside and at the end."""
    rng = np.random.default_rng(8)
    lengths = [*range(1, MAX_LENGTH + 1)] * 6
    drawn = [rng.integers(0, VOCABULARY, n).tolist() for n in lengths]
    return [ids for ids in drawn if any(ids)]
