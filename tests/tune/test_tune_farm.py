"""A farm on this machine: a tracker and two servers give what a session without them gives."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tvm_embbert.errors import FarmError, UsageError
from tvm_embbert.target_file import load_target
from tvm_embbert.tune.candidate import Candidate
from tvm_embbert.tune.farm import FarmMeter
from tvm_embbert.tune.meter import EmulatorMeter
from tvm_embbert.tune.session import all_configs
from tvm_embbert.tune.task import Task

pytestmark = pytest.mark.emulator

KEY = "test-m4"
START_S = 60.0


def free_ports(count: int) -> list[int]:
    """Return ports that nothing listens on now."""
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports


def started(folder: Path, module: str, port: int, *arguments: str) -> subprocess.Popen[bytes]:
    """Start one of TVM's servers in a group of its own: it has children."""
    line = [sys.executable, "-m", module, "--host", "127.0.0.1", "--port", str(port)]
    line += ["--port-end", str(port + 1), *arguments]
    with (folder / f"{port}.log").open("wb") as log:
        return subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


def kill(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@dataclass
class Farm:
    """A tracker's address, and its servers."""

    tracker: str
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def meter(self) -> FarmMeter:
        """Return a meter once both servers are known."""
        until = time.monotonic() + START_S
        while True:
            try:
                meter = FarmMeter(load_target("mps2-an386"), self.tracker, KEY)
                if meter.servers() == len(self.servers):
                    return meter
            except (UsageError, FarmError):
                pass
            assert time.monotonic() < until, "the farm did not start"
            time.sleep(0.5)


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    """Start a tracker and two servers."""
    ports = free_ports(3)
    tracker = started(tmp_path, "tvm.exec.rpc_tracker", ports[0])
    made = Farm(f"127.0.0.1:{ports[0]}")
    try:
        for port in ports[1:]:
            arguments = ("--tracker", made.tracker, "--key", KEY)
            made.servers.append(started(tmp_path, "tvm.exec.rpc_server", port, *arguments))
        yield made
    finally:
        for process in (tracker, *made.servers):
            if process.poll() is None:
                kill(process)


def candidates(tasks: Sequence[Task]) -> list[Candidate]:
    return [Candidate(task, config) for task in tasks for config in list(all_configs(task))[:3]]


def test_farm_gives_what_this_machine_gives(farm: Farm, tasks: list[Task]) -> None:
    wanted = candidates(tasks)
    trials = farm.meter().measure(wanted)
    assert trials == EmulatorMeter(load_target("mps2-an386"), 2).measure(wanted)
    assert all(t.count for t in trials)


def test_a_killed_server_loses_nothing(farm: Farm, tasks: list[Task]) -> None:
    meter = farm.meter()
    wanted = candidates(tasks)
    killer = threading.Timer(1.0, kill, [farm.servers[0]])
    killer.start()
    trials = meter.measure(wanted * 3)
    killer.join()
    assert meter.servers() == 1
    again = meter.measure(wanted)
    assert trials == again * 3
    assert all(t.count for t in again)


def test_nobody_there_is_told(farm: Farm) -> None:
    farm.meter()
    with pytest.raises(UsageError, match="no server with the key"):
        FarmMeter(load_target("mps2-an386"), farm.tracker, "nobody")
    with pytest.raises(UsageError, match="is no address"):
        FarmMeter(load_target("mps2-an386"), "nowhere", KEY)
