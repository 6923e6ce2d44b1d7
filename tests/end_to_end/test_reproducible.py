"""Same input, same bytes: C, archive and image, whatever the hash seed or the output folder."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from flow import SHAPES, model_folder


def compile_in_process(model: Path, out: Path, target: str, **environment: str) -> None:
    command = [sys.executable, "-m", "tvm_embbert.cli", "compile", str(model), "--target", target]
    command += ["--out", str(out), "--name", "same", "--no-measure"]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, **environment})


def contents(folder: Path, *patterns: str) -> dict[str, bytes]:
    found = [p for pattern in patterns for p in folder.glob(pattern)]
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


@pytest.mark.emulator
def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    model = model_folder(SHAPES[1], tmp_path / "model")
    epoch = {"SOURCE_DATE_EPOCH": "1700000000"}
    for seed in ("1", "2"):
        out = tmp_path / f"out{seed}"
        compile_in_process(model, out, "mps2-an386", PYTHONHASHSEED=seed, **epoch)
    kinds = ("library/*/*", "model.tar", "report.*", "image/*.elf", "integer.json")
    first, second = contents(tmp_path / "out1", *kinds), contents(tmp_path / "out2", *kinds)
    assert len(first) >= 10
    assert first == second


@pytest.mark.host
def test_archive_is_dated_by_source_date_epoch(tmp_path: Path) -> None:
    model = model_folder(SHAPES[0], tmp_path / "model")
    compile_in_process(model, tmp_path / "out", "host", SOURCE_DATE_EPOCH="1700000000")
    with tarfile.open(tmp_path / "out" / "model.tar") as archive:
        members = archive.getmembers()
    assert {m.mtime for m in members} == {1700000000}
    names = {m.name for m in members}
    assert {"./metadata.json", "./codegen/host/include/tvmgen_same.h"} <= names
