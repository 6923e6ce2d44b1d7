"""A farm on this machine: a tracker and two servers give what a session without them gives."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest
from loopback import Farm, farm, kill
from made_up import Uncompilable

from tvm_embbert.errors import FarmError, UsageError
from tvm_embbert.measure.cross import CROSS_TOOLCHAINS
from tvm_embbert.target_file import load_target
from tvm_embbert.tune.candidate import Candidate
from tvm_embbert.tune.farm import FarmMeter
from tvm_embbert.tune.meter import EmulatorMeter
from tvm_embbert.tune.session import all_configs
from tvm_embbert.tune.task import Task

pytestmark = pytest.mark.emulator

KEY = "test-m4"
TARGET = load_target("mps2-an386")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """Run a tracker and two servers; the last test kills them."""
    with farm(tmp_path_factory.mktemp("farm"), KEY, (None, None)) as made:
        yield made


def candidates(tasks: Sequence[Task]) -> list[Candidate]:
    return [Candidate(task, config) for task in tasks for config in list(all_configs(task))[:3]]


def test_farm_gives_what_this_machine_gives(running: Farm, tasks: list[Task]) -> None:
    """Byte for byte, whatever the number of servers and jobs."""
    wanted = candidates(tasks)
    trials = running.meter(TARGET).measure(wanted)
    assert trials == EmulatorMeter(TARGET, 1).measure(wanted)
    assert all(t.count for t in trials)


def test_a_candidate_that_does_not_compile_fails_alone(running: Farm, tasks: list[Task]) -> None:
    wanted = [*candidates(tasks)[:2], Uncompilable(tasks[0], {})]
    trials = running.meter(TARGET).measure(wanted)
    assert [bool(t.error) for t in trials] == [False, False, True]
    assert "could not compile" in trials[-1].error


def test_nobody_there_is_told(running: Farm) -> None:
    running.meter(TARGET)
    with pytest.raises(UsageError, match="no server with the key"):
        FarmMeter(TARGET, running.tracker, "nobody")
    with pytest.raises(UsageError, match="is no address"):
        FarmMeter(TARGET, "nowhere", KEY)


def test_another_compiler_ends_the_session(
    running: Farm, tasks: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    toolchain = CROSS_TOOLCHAINS[TARGET.core.toolchain]
    meter = running.meter(TARGET)
    monkeypatch.setitem(vars(toolchain), "version", "arm-none-eabi-gcc 1.0")
    with pytest.raises(FarmError, match=r"not 'arm-none-eabi-gcc 1\.0'"):
        meter.measure(candidates(tasks)[:2])


def test_killed_servers_lose_nothing(
    running: Farm, tasks: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One dies while it measures, and nothing is lost; without any, the session ends."""
    meter = running.meter(TARGET)
    wanted = candidates(tasks)
    killer = threading.Timer(1.0, kill, [running.servers[0]])
    killer.start()
    trials = meter.measure(wanted * 3)
    killer.join()
    assert meter.servers() == 1
    again = meter.measure(wanted * 3)
    assert trials == again
    assert all(t.count for t in again)
    kill(running.servers[1])
    monkeypatch.setattr("tvm_embbert.tune.farm.PATIENCE_S", 2.0)
    with pytest.raises(FarmError, match="have gone"):
        meter.measure(wanted)
