"""A farm: emulators on many hosts, found through TVM's RPC tracker.

Candidates are printed as C here, and built and run on whichever server is free: compilers take most
of the time. A server that dies takes nothing with it: what it was measuring is asked of another.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from tvm import rpc

from tvm_embbert.errors import DeviceError, FarmError, UsageError
from tvm_embbert.measure.cross import CROSS_TOOLCHAINS
from tvm_embbert.plugin import MEASURE
from tvm_embbert.target import Target
from tvm_embbert.target_json import target_to_json
from tvm_embbert.tune.bench import Outcome, packed
from tvm_embbert.tune.bench_sources import bench_files
from tvm_embbert.tune.candidate import Candidate
from tvm_embbert.tune.meter import Meter, measure_shared, trials_of
from tvm_embbert.tune.served import VERSION
from tvm_embbert.tune.trial_log import Trial

SESSION_S = 600
"""Seconds after which a server gives up a client."""

PATIENCE_S = 60.0
"""Seconds to wait for a server when all have gone."""


class FarmMeter(Meter):
    """Measures on the servers that a tracker knows by a key."""

    def __init__(self, target: Target, tracker: str, key: str) -> None:
        """Ask the tracker for servers.

        Parameters
        ----------
        tracker : str
            ``HOST:PORT``.
        key : str
            The servers' key, which should name the device.

        Raises
        ------
        UsageError
            The address is none, or no server with the key is there.
        FarmError
            The tracker does not answer.
        """
        self._target, self._key = target, key
        self._host, self._port = _address(tracker)
        if not self.servers():
            raise UsageError(
                f"The tracker knows no server with the key {key!r}.",
                where=tracker,
                hint=f"Start one: python -m tvm.exec.rpc_server --tracker {tracker} --key {key}",
            )

    @property
    def runner(self) -> str:
        """Return the servers' key."""
        return f"servers with the key {self._key}"

    def servers(self) -> int:
        """Return how many servers with the key the tracker knows, busy or free."""
        known = self._tracker().summary()["server_info"]
        return sum(server["key"] == f"server:{self._key}" for server in known)

    def measure(self, candidates: Sequence[Candidate]) -> list[Trial]:
        """Share the candidates out over the servers."""
        return measure_shared(candidates, self._present(), self._together)

    def _present(self) -> int:
        """Return the number of servers; wait a while if there are none."""
        until = time.monotonic() + PATIENCE_S
        while not (servers := self.servers()):
            if time.monotonic() > until:
                raise FarmError(
                    f"All servers with the key {self._key!r} have gone.",
                    where=f"{self._host}:{self._port}",
                    hint="Start one and go on with --resume: nothing that was measured is lost.",
                )
            time.sleep(1)
        return servers

    def _together(self, candidates: Sequence[Candidate]) -> list[Trial]:
        program, request = packed(bench_files(candidates)), self._request(len(candidates))
        return trials_of(candidates, self._ask(program, request))

    def _request(self, candidates: int) -> str:
        fields = {
            "version": VERSION,
            "target": target_to_json(self._target),
            "compiler": CROSS_TOOLCHAINS[self._target.core.toolchain].version,
            "candidates": candidates,
        }
        return json.dumps(fields)

    def _ask(self, program: bytes, request: str) -> list[Outcome]:
        """Return a server's outcomes; raise DeviceError where a candidate is at fault."""
        while True:
            self._present()
            try:
                answer = self._asked_once(program, request)
            except (RuntimeError, OSError):
                continue  # the server died; _present() gives up when no other comes
            where = f"a server with the key {self._key}"
            if "unable" in answer:
                raise FarmError(**{"where": where, **_filled(answer["unable"])})
            if "failed" in answer:
                raise DeviceError(**{"where": where, **_filled(answer["failed"])})
            return [Outcome(**outcome) for outcome in answer["outcomes"]]

    def _asked_once(self, program: bytes, request: str) -> dict[str, Any]:
        session = self._tracker().request(self._key, session_timeout=SESSION_S, max_retry=1)
        answer = session.get_function(MEASURE)(bytearray(program), request)
        parsed: dict[str, Any] = json.loads(str(answer))
        return parsed

    def _tracker(self) -> Any:
        # A connection each: threads must not share one.
        try:
            return rpc.connect_tracker(self._host, self._port)
        except (RuntimeError, OSError) as error:
            raise FarmError(
                f"The tracker does not answer: {error}",
                where=f"{self._host}:{self._port}",
                hint="Start it: python -m tvm.exec.rpc_tracker --host 0.0.0.0 --port 9190",
            ) from error


def _filled(fields: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in fields.items() if text}


def _address(tracker: str) -> tuple[str, int]:
    host, colon, port = tracker.rpartition(":")
    if not (host and colon and port.isdigit()):
        raise UsageError(f"{tracker!r} is no address.", where="--tracker", supported="HOST:PORT")
    return host, int(port)
