"""How well the search searches: XGBoost against chance, and another core's records as a start.

Writes ``bench/tuning.json``. Every seed searches each task by itself, with as many trials; what a
candidate takes is measured once and remembered, so that both searches see the same counts.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from pathlib import Path
from typing import Any

from tvm_embbert.compiler import quantize_model
from tvm_embbert.folder import write_text
from tvm_embbert.models.checkpoint import load_model
from tvm_embbert.target_file import load_target
from tvm_embbert.tune.meta.search import SearchOptions
from tvm_embbert.tune.meter import EmulatorMeter
from tvm_embbert.tune.session import SMALL, Recorder, tune
from tvm_embbert.tune.task import Task, extract_tasks
from tvm_embbert.tune.transfer import known_elsewhere
from tvm_embbert.tune.trial_log import Trial, TrialLog

RESULTS = Path(__file__).parent / "tuning.json"
SHARE = 0.005
"""Tasks that take less of the model than this are left out."""


class Watcher(Recorder):
    """Keeps the order in which a search asked for candidates."""

    def __init__(self, task: Task, meter: EmulatorMeter, log: TrialLog) -> None:
        self.asked: list[Trial] = []
        super().__init__([task], meter, log, self.asked.append)

    def curve(self) -> list[int]:
        """Return the best count after each candidate, the first of each asked for once."""
        seen, best, curve = set(), 0, []
        for trial in self.asked:
            if trial.key not in seen:
                seen.add(trial.key)
                if trial.count is not None:
                    best = min(best or trial.count, trial.count)
                curve.append(best)
        return curve


def searched(
    task: Task, meter: EmulatorMeter, log: TrialLog, options: SearchOptions, source: str = ""
) -> list[int]:
    """Return the curve of one search of one task."""
    known = known_elsewhere([task], source) if source else []
    watcher = Watcher(task, meter, log)
    tune([task], watcher, options, known, [(name, config) for name, config, _ in known])
    return watcher.curve()[: options.trials + 1]


def compared(task: Task, meter: EmulatorMeter, log: TrialLog, trials: int, seed: int) -> Any:
    """Return how both searches did with a seed: the best counts, and when each was reached."""
    curves = {
        model: searched(task, meter, log, SearchOptions(trials, 8, seed, model, refined=0))
        for model in ("xgb", "random")
    }
    target = curves["random"][-1]
    reached = {
        m: next((i for i, c in enumerate(v) if c <= target), None) for m, v in curves.items()
    }
    return {
        "seed": seed,
        "xgb": curves["xgb"][-1],
        "random": target,
        "xgb_trials_to_random_best": reached["xgb"],
        "random_trials_to_its_best": reached["random"],
    }


def heavy(tasks: list[Task], log: TrialLog, meter: EmulatorMeter) -> list[Task]:
    """Return the tasks with something to search that take a share of the model worth it."""
    recorder = Recorder(tasks, meter, log)
    tune(tasks, recorder, SearchOptions(0))
    costs = {t.name: (min(x.count or 0 for x in log.of(t.name)) * t.runs) for t in tasks}
    total = sum(costs.values())
    return [t for t in tasks if t.size > SMALL and costs[t.name] >= SHARE * total]


def report(name: str, trials: int, seeds: int, source: str, cache: Path) -> dict[str, Any]:
    """Measure one target; returns what goes to the file."""
    target = load_target(name)
    module = quantize_model(load_model("snips"))
    meter = EmulatorMeter(target, 2)
    log = TrialLog.open(cache / f"{name}.jsonl", {"target": name}, resume=True)
    tasks = extract_tasks(module, target.core.isa, module.max_length)
    rows = []
    for task in heavy(tasks, log, meter):
        runs = [compared(task, meter, log, min(trials, task.size - 1), s) for s in range(seeds)]
        # A search that never came as far as chance did is not left out: it took forever.
        ratios = [
            _reached(r["xgb_trials_to_random_best"]) / max(1, r["random_trials_to_its_best"])
            for r in runs
        ]
        share = statistics.median(ratios)
        row = {"task": task.name, "candidates": task.size, "runs": runs}
        row["median_share_of_trials"] = share if math.isfinite(share) else None
        if source:
            row["transfer"] = transferred(task, meter, log, trials, source)
        rows.append(row)
        print(json.dumps(row), flush=True)
    return {"trials": trials, "seeds": seeds, "source": source, "tasks": rows}


def _reached(trials: int | None) -> float:
    return math.inf if trials is None else trials


def transferred(task: Task, meter: EmulatorMeter, log: TrialLog, trials: int, source: str) -> Any:
    """Return the best with a quarter of the trials from another core's records, and by itself."""
    quarter = SearchOptions(max(1, trials // 4), 8, 0, "xgb", refined=0)
    known = searched(task, meter, log, quarter, source)
    known = known[: quarter.trials + 1]
    own = searched(task, meter, log, SearchOptions(trials, 8, 0, "xgb", refined=0))
    return {"trials": quarter.trials, "best": known[-1], "own_trials": trials, "own_best": own[-1]}


def main() -> None:
    """Measure the targets that are named, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="+")
    parser.add_argument("--trials", type=int, default=48)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--from", dest="source", default="")
    parser.add_argument("--cache", type=Path, default=Path("out/bench-tuning"))
    options = parser.parse_args()
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in options.targets:
        known[name] = report(name, options.trials, options.seeds, options.source, options.cache)
        write_text(RESULTS, json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
