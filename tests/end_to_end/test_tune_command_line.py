"""``tvm-embbert tune`` as a user runs it: killed and resumed, shown, and used by ``compile``."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from flow import SHAPES, model_folder

pytestmark = pytest.mark.emulator

TARGET, CORE = "virt-rv32v", "rv32imc-zve32x"
TUNE = (
    "--target",
    TARGET,
    "--trials",
    "40",
    "--operators",
    "linear",
    "attention",
    "--from",
    "none",
)


def line(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "tvm_embbert.cli", *map(str, arguments)]


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(line(*arguments), capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def records(out: Path) -> dict[str, str]:
    return {p.name: p.read_text() for p in sorted((out / CORE).glob("*.json"))}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_folder(SHAPES[0], tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
def whole(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a session that nothing interrupted."""
    out = tmp_path_factory.mktemp("tuned") / "whole"
    done = command("tune", model, *TUNE, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "whole model" in done.stdout
    assert "trials/min" in done.stderr or "whole model" in done.stderr
    return out


def killed(model: Path, out: Path, lines: int) -> int:
    """Start a session, kill -9 it once its log has some lines; returns how many it kept."""
    log = out / "trials.jsonl"
    with subprocess.Popen(line("tune", model, *TUNE, "--out", out, "--json")) as process:
        while process.poll() is None:
            if log.exists() and log.read_bytes().count(b"\n") >= lines:
                break
            time.sleep(0.05)
        assert process.poll() is None, "it ended before it could be killed"
        process.kill()
    return log.read_bytes().count(b"\n") - 1


def test_killed_and_resumed_ends_like_uninterrupted(
    model: Path, whole: Path, tmp_path: Path
) -> None:
    kept = killed(model, tmp_path / "cut", 4)
    before = (tmp_path / "cut" / "trials.jsonl").read_bytes()
    done = command("tune", model, *TUNE, "--out", tmp_path / "cut", "--resume", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    after = (tmp_path / "cut" / "trials.jsonl").read_bytes()
    assert after.startswith(before[: before.rfind(b"\n") + 1])
    assert summary["trials"]["measured"] > kept
    assert records(tmp_path / "cut") == records(whole)


def test_another_session_is_not_overwritten(model: Path, whole: Path) -> None:
    log = (whole / "trials.jsonl").read_bytes()
    done = command("tune", model, *TUNE, "--out", whole)
    assert done.returncode == 2
    assert "--resume" in done.stderr
    done = command("tune", model, *TUNE, "--out", whole, "--resume", "--seed", "9")
    assert done.returncode == 2
    assert "seed was 0, is 9" in done.stderr
    assert (whole / "trials.jsonl").read_bytes() == log


def test_compile_uses_and_explains_the_records(model: Path, whole: Path, tmp_path: Path) -> None:
    common = ("compile", model, "--target", TARGET, "--no-measure", "--explain")
    tuned = command(*common, "--out", tmp_path / "tuned", "--schedules", whole)
    plain = command(*common, "--out", tmp_path / "plain", "--schedules", "none")
    assert (tuned.returncode, plain.returncode) == (0, 0), tuned.stderr + plain.stderr
    assert f"{CORE}/" in tuned.stdout
    assert f"{CORE}/" not in plain.stdout
    report = json.loads((tmp_path / "tuned" / "report.json").read_text())
    assert {row["source"].split("/")[0] for row in report["schedules"]} == {CORE}


def test_a_board_is_no_farm(model: Path, tmp_path: Path) -> None:
    farm = ("--tracker", "127.0.0.1:9190", "--key", "board")
    done = command("tune", model, *TUNE, "--out", tmp_path / "out", "--port", "/dev/null", *farm)
    assert done.returncode == 2
    assert "not on both" in done.stderr
    assert not (tmp_path / "out" / "trials.jsonl").exists()


def test_a_farm_needs_tracker_and_key(model: Path, tmp_path: Path) -> None:
    done = command("tune", model, *TUNE, "--out", tmp_path / "out", "--key", "board")
    assert done.returncode == 2
    assert "--tracker" in done.stderr
