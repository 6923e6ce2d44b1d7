"""Debug builds of real models: the same answers, and nothing written where it may not be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from flow import SHAPES, model_folder

import tvm_embbert
from tvm_embbert.measure.guards import GUARD_BYTES


@pytest.mark.emulator
@pytest.mark.parametrize("shape", range(len(SHAPES)))
@pytest.mark.parametrize("target", ["host", "mps2-an386", "mps3-an547", "virt-rv32v"])
def test_debug_build_answers_as_the_reference(tmp_path: Path, shape: int, target: str) -> None:
    folder = model_folder(SHAPES[shape], tmp_path / "model")
    compiled = tvm_embbert.compile_model(
        folder, target, tmp_path / "out", measure=False, debug=True
    )
    assert compiled.report["debug"] is compiled.debug is True
    length = compiled.max_length
    with compiled.session() as session:
        for ids in ([2], [2, 5, 7][:length], ([2] + [6] * length)[:length]):
            answer = session.infer(ids)
            assert answer.code == 0
            assert answer.logits.tobytes() == compiled.reference.run(ids).tobytes()
            assert compiled.run(ids).logits.tobytes() == answer.logits.tobytes()


@pytest.mark.emulator
def test_debug_from_the_command_line(tmp_path: Path) -> None:
    folder = model_folder(SHAPES[0], tmp_path / "model")
    reports = {}
    for name, more in (("plain", ()), ("debug", ("--debug",))):
        out = tmp_path / name
        arguments = ["compile", folder, "--target", "mps2-an386", "--out", out, "--json", *more]
        command = [sys.executable, "-m", "tvm_embbert.cli", *map(str, arguments)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        reports[name] = json.loads(done.stdout)
    assert [reports[name]["debug"] for name in ("plain", "debug")] == [False, True]
    plain, debug = (reports[name]["memory"] for name in ("plain", "debug"))
    guards = 2 * GUARD_BYTES * len(plain["pools"])
    assert debug["ram"]["arena"] == plain["ram"]["arena"] + guards
    assert debug["ram"]["stack"] >= debug["stack"]["bound"] + GUARD_BYTES
    assert debug["flash"]["code"] == plain["flash"]["code"]
    counts = [reports[name]["instructions"]["per_inference"] for name in ("plain", "debug")]
    assert counts[0] == pytest.approx(counts[1], abs=8), "guards are checked outside of the count"
