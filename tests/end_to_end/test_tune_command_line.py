"""``tvm-embbert tune`` as a user runs it: killed and resumed, shown, and used by ``compile``."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from flow import SHAPES, model_folder

pytestmark = pytest.mark.emulator

MARK = "TVM_EMBBERT_TEST_SESSION"
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


@dataclass
class Cut:
    """A session in a process of its own; its children are found by a variable of theirs."""

    model: Path
    out: Path
    temporary: Path
    name: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def log(self) -> bytes:
        log = self.out / "trials.jsonl"
        return log.read_bytes() if log.exists() else b""

    def start(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "TMPDIR": str(self.temporary), MARK: self.name}
        arguments = ("tune", self.model, *TUNE, "--out", self.out, "--resume", "--json")
        pipe = subprocess.PIPE
        return subprocess.Popen(
            line(*arguments), env=environment, stdout=pipe, stderr=pipe, process_group=0
        )

    def programs(self) -> dict[int, str]:
        """Return the names of all processes of the session that run."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"{MARK}={self.name}".encode() in (folder / "environ").read_bytes():
                    found[int(folder.name)] = (folder / "comm").read_text().strip()
        return found

    def busy(self, process: subprocess.Popen[bytes], program: str) -> None:
        """Wait until a batch more is in the log, and a program runs once more."""
        lines = self.log.count(b"\n")
        while self.log.count(b"\n") <= lines or program not in self.programs().values():
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)

    def left(self) -> list[str]:
        """Return temporary files but for the folder that PyTorch has for all processes."""
        names = [path.name for path in self.temporary.iterdir()]
        return [name for name in names if not name.startswith("torchinductor")]

    def gone(self) -> None:
        """Wait for the last of the session's processes, a short while."""
        until = time.monotonic() + 3.0
        while self.programs():
            assert time.monotonic() < until, f"left behind: {self.programs()}"
            time.sleep(0.05)


def test_signals_end_all_and_lose_nothing(model: Path, whole: Path, tmp_path: Path) -> None:
    """Ended while compilers or emulators run, in each way once; then it ends as if never cut."""
    cut = Cut(model, tmp_path / "cut", tmp_path / "temporary")
    cut.temporary.mkdir()
    sent = [
        ("cc1", (signal.SIGINT,)),
        ("qemu-system-ris", (signal.SIGTERM,)),
        ("cc1", (signal.SIGINT, signal.SIGINT)),
        ("qemu-system-ris", (signal.SIGKILL,)),
        ("cc1", (signal.SIGKILL,)),
    ]
    for program, signals in sent:
        with cut.start() as process:
            cut.busy(process, program)
            kept = cut.log
            for number in signals:
                # To all of the group, as a terminal does.
                os.killpg(process.pid, number)
            _, errors = process.communicate(timeout=20)
        cut.gone()
        assert cut.log.startswith(kept)
        if signal.SIGKILL not in signals:
            assert process.returncode == 128 + signals[0]
            assert errors.decode().splitlines()[-1] == "interrupted"
            assert cut.left() == []
    done = command("tune", model, *TUNE, "--out", cut.out, "--resume", "--json")
    assert done.returncode == 0, done.stderr
    assert cut.log.startswith(kept[: kept.rfind(b"\n") + 1])
    assert records(cut.out) == records(whole)


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
