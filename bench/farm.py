"""What a second server brings: a short session on farms of one and of two hosts of one core each.

Writes ``bench/farm.json``. The hosts are servers on this machine, each on a core of its own; the
session itself runs on whatever is free of both. Rounds alternate, so that other load on the machine
falls on all alike.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loopback import farm

from tvm_embbert.compiler import quantize_model
from tvm_embbert.folder import write_text
from tvm_embbert.models.checkpoint import load_model
from tvm_embbert.target_file import load_target
from tvm_embbert.tune.candidate import Candidate
from tvm_embbert.tune.front import records_of
from tvm_embbert.tune.meta.search import SearchOptions
from tvm_embbert.tune.meter import EmulatorMeter, Meter
from tvm_embbert.tune.session import Recorder, tune
from tvm_embbert.tune.task import Task, extract_tasks
from tvm_embbert.tune.trial_log import Trial, TrialLog

RESULTS = Path(__file__).parent / "farm.json"
TARGET, KEY = "mps2-an386", "farm-bench"
KERNELS = ("linear", "attention")
"""Of each operator, the first kernel is tuned."""


class TimedMeter(Meter):
    """Measures by another meter, and sums the seconds that it takes."""

    def __init__(self, inner: Meter) -> None:
        self._inner, self.seconds = inner, 0.0

    @property
    def runner(self) -> str:
        """Return the other meter's."""
        return self._inner.runner

    def measure(self, candidates: Sequence[Candidate]) -> list[Trial]:
        """Measure by the other meter."""
        begun = time.monotonic()
        try:
            return self._inner.measure(candidates)
        finally:
            self.seconds += time.monotonic() - begun


@dataclass(frozen=True)
class Session:
    """A session's records, how many it measured, and its seconds.

    `seconds` in all, `measuring` those in which it waited for the meter, `own` of the
    processor's time.
    """

    records: Any
    trials: int
    seconds: float
    measuring: float
    own: float


def session(tasks: Sequence[Task], meter: Meter, options: SearchOptions) -> Session:
    """Search the tasks anew."""
    timed = TimedMeter(meter)
    with tempfile.TemporaryDirectory() as folder:
        log = TrialLog.open(Path(folder) / "trials.jsonl", {}, resume=False)
        begun, used = time.monotonic(), time.process_time()
        tune(tasks, Recorder(tasks, timed, log), options)
        seconds, own = time.monotonic() - begun, time.process_time() - used
    found = records_of(tasks, log)
    records = {operator: [asdict(r) for r in rows] for operator, rows in found.items()}
    return Session(records, len(log.trials), seconds, timed.seconds, own)


def on_farm(tasks: Sequence[Task], servers: int, options: SearchOptions) -> Session:
    """Search the tasks on a farm of some servers, each on a core of its own."""
    cores: list[int | None] = sorted(os.sched_getaffinity(0))[:servers]
    if len(cores) < servers:
        raise SystemExit(f"{servers} servers need {servers} cores")
    with tempfile.TemporaryDirectory() as folder, farm(Path(folder), KEY, cores) as made:
        meter = made.meter(load_target(TARGET))
        meter.measure([Candidate(task, {}) for task in tasks])  # the first image is read from disk
        return session(tasks, meter, options)


def chosen_tasks() -> list[Task]:
    """Return the first kernel of each operator of the shipped model."""
    module = quantize_model(load_model("snips"))
    isa = load_target(TARGET).core.isa
    found = extract_tasks(module, isa, module.max_length, None, KERNELS)
    return [next(task for task in found if task.operator == operator) for operator in KERNELS]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the least, the median and the greatest."""
    middle = statistics.median(values)
    return {
        name: round(value, 1)
        for name, value in (("min", min(values)), ("median", middle), ("max", max(values)))
    }


def figures(sessions: Sequence[Session]) -> dict[str, Any]:
    """Return what sessions of one kind took: trials a minute, and seconds."""

    def rates(seconds: Callable[[Session], float]) -> dict[str, float]:
        return spread([60 * one.trials / seconds(one) for one in sessions])

    return {
        "trials": sessions[0].trials,
        "trials_a_minute": rates(lambda one: one.seconds),
        "trials_a_minute_while_measuring": rates(lambda one: one.measuring),
        "seconds": spread([one.seconds for one in sessions]),
        "seconds_of_searching": spread([one.seconds - one.measuring for one in sessions]),
        "processor_seconds_of_the_session": spread([one.own for one in sessions]),
    }


def main() -> None:
    """Run the rounds, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    options, tasks = SearchOptions(chosen.trials), chosen_tasks()
    local = session(tasks, EmulatorMeter(load_target(TARGET), 2), options)
    loads, done = [], {1: list[Session](), 2: list[Session]()}
    for number in range(chosen.rounds):
        for servers in (1, 2) if number % 2 == 0 else (2, 1):
            loads.append(os.getloadavg()[0])
            done[servers].append(on_farm(tasks, servers, options))
            print(servers, done[servers][-1].seconds, done[servers][-1].measuring, flush=True)
    result = {
        "target": TARGET,
        "kernels": [task.name for task in tasks],
        "rounds": chosen.rounds,
        "load_before_a_session": spread(loads),
        "records_equal_the_local_session's": all(
            one.records == local.records for sessions in done.values() for one in sessions
        ),
        "servers": {servers: figures(sessions) for servers, sessions in done.items()},
    }
    write_text(RESULTS, json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
