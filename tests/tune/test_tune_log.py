"""The log of trials: nothing that was measured is lost, and nothing is mixed up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvm_embbert.errors import InputError, UsageError
from tvm_embbert.tune.trial_log import Trial, TrialLog

HEADER = {"core": "cortex-m4", "seed": 0, "flags": ("-mthumb",)}


def filled(path: Path, count: int = 3) -> TrialLog:
    log = TrialLog.open(path, HEADER, False)
    log.add([Trial("task", {"rows": n}, 100 - n, 4, 8) for n in range(count)])
    return log


def test_reads_back_what_was_added(tmp_path: Path) -> None:
    log = filled(tmp_path / "log")
    again = TrialLog.open(tmp_path / "log", HEADER, True)
    assert list(again.trials.values()) == list(log.trials.values())


def test_forgets_the_line_that_was_being_written(tmp_path: Path) -> None:
    path = tmp_path / "log"
    filled(path)
    whole = path.read_bytes()
    for cut in range(1, 40):
        path.write_bytes(whole[:-cut])
        assert len(TrialLog.open(path, HEADER, True).trials) == 2
        assert path.read_bytes() == whole[: whole[:-1].rfind(b"\n") + 1]


def test_goes_on_after_a_death_at_the_very_start(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b'{"versi')
    assert not TrialLog.open(path, HEADER, True).trials
    assert not TrialLog.open(path, HEADER, True).trials


def test_wants_to_be_told_to_resume(tmp_path: Path) -> None:
    filled(tmp_path / "log")
    with pytest.raises(UsageError, match="--resume"):
        TrialLog.open(tmp_path / "log", HEADER, False)


def test_refuses_another_session(tmp_path: Path) -> None:
    filled(tmp_path / "log")
    with pytest.raises(UsageError, match="seed was 0, is 1"):
        TrialLog.open(tmp_path / "log", {**HEADER, "seed": 1}, True)


def test_tells_where_it_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "log"
    filled(path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "{", *lines[2:]]) + "\n")
    with pytest.raises(InputError, match="line 2"):
        TrialLog.open(path, HEADER, True)
