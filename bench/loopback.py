"""A farm on this machine: TVM's tracker and servers on the loopback interface."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tvm_embbert.errors import FarmError, UsageError
from tvm_embbert.target import Target
from tvm_embbert.tune.farm import FarmMeter

START_S = 120.0


@dataclass
class Farm:
    """A tracker's address, and its servers."""

    tracker: str
    key: str
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def meter(self, target: Target) -> FarmMeter:
        """Return a meter once all servers are known."""
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            try:
                meter = FarmMeter(target, self.tracker, self.key)
                if meter.servers() == len(self.servers):
                    return meter
            except (UsageError, FarmError):
                pass  # not yet
            time.sleep(0.5)
        raise TimeoutError("the farm did not start")


@contextmanager
def farm(folder: Path, key: str, cores: Sequence[int | None]) -> Iterator[Farm]:
    """Run a tracker and a server for each of some cores, None for one that runs anywhere.

    Parameters
    ----------
    folder : Path
        For the logs.
    """
    ports = free_ports(1 + len(cores))
    tracker = _started(folder, "tvm.exec.rpc_tracker", ports[0])
    made = Farm(f"127.0.0.1:{ports[0]}", key)
    arguments = ("--tracker", made.tracker, "--key", key)
    try:
        for port, core in zip(ports[1:], cores, strict=True):
            server = _started(folder, "tvm.exec.rpc_server", port, *arguments)
            made.servers.append(server)
            if core is not None:
                # What it starts inherits this; it is still importing.
                os.sched_setaffinity(server.pid, {core})
        yield made
    finally:
        for process in (tracker, *made.servers):
            kill(process)


def free_ports(count: int) -> list[int]:
    """Return ports that nothing listens on now."""
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports


def _started(folder: Path, module: str, port: int, *arguments: str) -> subprocess.Popen[bytes]:
    """Start one of TVM's servers in a group of its own: it has children."""
    line = [sys.executable, "-m", module, "--host", "127.0.0.1", "--port", str(port)]
    line += ["--port-end", str(port + 1), *arguments]
    with (folder / f"{port}.log").open("wb") as log:
        return subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a server and its children, if it still runs."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
