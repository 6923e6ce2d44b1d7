"""Running compilers: what takes too long ends, with all that it started."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tvm_embbert.errors import ToolchainError
from tvm_embbert.measure.toolchain import run

DRIVER = "sleep 60 & echo $! > child; wait"
"""Like GCC: a program whose child does the work."""


def alive(pid: int) -> bool:
    """Return whether a process runs: one that waits for its parent to look is dead."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_what_takes_too_long_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match=r"Could not wait: .* timed out after 0\.5 seconds"):
        run(["sh", "-c", DRIVER], tmp_path, "wait", timeout_s=0.5)
    child = int((tmp_path / "child").read_text())
    assert child != os.getpid()
    until = time.monotonic() + 10
    while alive(child) and time.monotonic() < until:
        time.sleep(0.01)
    assert not alive(child)


def test_output_and_failures_are_told(tmp_path: Path) -> None:
    assert run(["sh", "-c", "echo done"], tmp_path, "print") == "done\n"
    with pytest.raises(ToolchainError, match="could not fail:\n    why"):
        run(["sh", "-c", "echo why >&2; exit 3"], tmp_path, "fail")
