"""The emitted C as text. ``UPDATE_GOLDEN=1 pytest tests/codegen`` writes it anew."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import small_module

from tvm_embbert.codegen.library import ARITHMETIC
from tvm_embbert.measure.sources import RUNTIME

GOLDEN = Path(__file__).parent / "golden"
FILES = (
    "include/tvmgen_small.h",
    "src/tvmgen_small.c",
    "src/tvmgen_small_internal.h",
    "src/tvmgen_small_kernels.c",
    "src/tvmgen_small_weights.c",
)


@pytest.mark.parametrize("name", FILES)
def test_text_is_the_golden_one(library, name):
    path = GOLDEN / Path(name).name
    if os.environ.get("UPDATE_GOLDEN") == "1":
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(library.files[name], encoding="utf-8")
    hint = "Check the difference; if it is meant: UPDATE_GOLDEN=1 pytest tests/codegen"
    assert library.files[name] == path.read_text(encoding="utf-8"), hint


def test_there_are_no_other_files(library):
    assert sorted(library.files) == sorted([*FILES, f"src/{ARITHMETIC}"])
    assert {path.name for path in GOLDEN.iterdir()} == {Path(name).name for name in FILES}


def test_arithmetic_is_the_runtimes(library):
    text = (RUNTIME / "include" / ARITHMETIC).read_text(encoding="utf-8")
    assert library.files[f"src/{ARITHMETIC}"] == text


def test_text_does_not_depend_on_the_process():
    first, second = (_digest(seed) for seed in ("1", "2"))
    assert first.communicate() == second.communicate()
    assert first.returncode == second.returncode == 0


def _digest(hash_seed: str) -> subprocess.Popen[str]:
    environment = os.environ | {
        "PYTHONHASHSEED": hash_seed,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }
    command = [sys.executable, small_module.__file__]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def test_files_are_written_where_they_are_named(library, tmp_path):
    paths = library.write(tmp_path)
    written = {str(p.relative_to(tmp_path)): p.read_text(encoding="utf-8") for p in paths}
    assert written == library.files
