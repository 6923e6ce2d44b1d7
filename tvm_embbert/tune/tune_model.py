"""Tune a model for a target: search, weigh the whole model, write records and a summary."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tvm_embbert.errors import UsageError
from tvm_embbert.folder import write_text
from tvm_embbert.measure.cross import CROSS_TOOLCHAINS
from tvm_embbert.measure.toolchain import run
from tvm_embbert.measure.wiring import require_emulator
from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.target import Target
from tvm_embbert.tune.front_plot import front_svg
from tvm_embbert.tune.meter import EmulatorMeter, Meter
from tvm_embbert.tune.pareto import FrontPoint, front_record, measure_front
from tvm_embbert.tune.records import Conditions, write_records
from tvm_embbert.tune.room import Room
from tvm_embbert.tune.schedules import no_schedules
from tvm_embbert.tune.session import Best, Recorder, best_of, tune
from tvm_embbert.tune.task import Task, extract_tasks
from tvm_embbert.tune.transfer import known_elsewhere, nearest_core
from tvm_embbert.tune.trial_log import Trial, TrialLog
from tvm_embbert.tune.weigh import Weighed, Weigher
from tvm_embbert.tune.whole import SLACK, Counted, Limits, Whole, as_schedules, count, used_points

LOG, SUMMARY, PLOT, LOOPS_FILE = "trials.jsonl", "summary.json", "front.svg", "loops"


@dataclass(frozen=True)
class TuneOptions:
    """How to tune.

    Attributes
    ----------
    trials : int
        Candidates that the search measures, beside the defaults and small spaces.
    length : int or None
        Tokens of the input; the model's longest where it is None.
    operators : tuple of str
        Those to tune; all where it is empty.
    seed : int
        The same seed and counts lead to the same records.
    search : str
        ``xgb`` or ``random``.
    jobs : int
        Images that are built and run at a time.
    batch : int
        Candidates measured at a time: what is lost at most when the session dies.
    arena : int or None
        Bytes that the arena may take; a hundredth more than untuned where it is None.
    code : int or None
        Bytes that the library's code may take; as many as it likes where it is None.
    source : str or None
        Core or folder whose records to start from; the nearest core where it is None, ``none`` for
        none.
    resume : bool
        Whether to go on with the session in the folder.
    front : bool
        Whether to measure the front of instructions against RAM and flash.
    """

    trials: int = 200
    length: int | None = None
    operators: tuple[str, ...] = ()
    seed: int = 0
    search: str = "xgb"
    jobs: int = 2
    batch: int = 16
    arena: int | None = None
    code: int | None = None
    source: str | None = None
    resume: bool = False
    front: bool = False


@dataclass(frozen=True)
class Told:
    """Whom to tell of the session's progress; nobody by default."""

    tasks: Callable[[Sequence[Task]], None] = field(default=lambda _: None)
    trial: Callable[[Trial], None] = field(default=lambda _: None)
    model: Callable[[Counted], None] = field(default=lambda _: None)


def tune_model(
    module: IntegerModule,
    target: Target,
    out: Path,
    options: TuneOptions,
    overrides: Mapping[str, str] | None = None,
    meter: Meter | None = None,
    told: Told = Told(),
) -> dict[str, Any]:
    """Tune a model's kernels for a target's core.

    Parameters
    ----------
    module : IntegerModule
        The quantised model.
    target : Target
        The device, with an emulator.
    out : Path
        Folder for ``trials.jsonl``, ``<core>/<operator>.json``, ``summary.json`` and, with the
        front, ``front.svg``.
    options : TuneOptions
        How far, from where.
    overrides : mapping, optional
        Implementation to use, by operator or call.
    meter : Meter, optional
        Measures candidates; the target's emulator where it is not given.
    told : Told
        Callables to tell of progress.

    Returns
    -------
    dict
        The summary, as it is written.
    """
    require_emulator(target)
    length = _length(module, options)
    tasks = extract_tasks(module, target.core.isa, length, overrides, options.operators)
    _check_operators(tasks, options.operators, module)
    measured_by = meter or EmulatorMeter(target, options.jobs)
    conditions = _conditions(target, measured_by)
    log = TrialLog.open(out / LOG, _header(conditions, length, options), options.resume)
    whole = Whole(module, target, length, overrides or {})
    before = count(whole.lower(no_schedules()), whole.ids)
    told.model(before)
    limit = before.arena + before.arena // SLACK if options.arena is None else options.arena
    room = Room(whole, max(limit, before.arena))
    tasks = [room.narrow(task) for task in tasks]
    told.tasks(tasks)
    _search(tasks, Recorder(tasks, measured_by, log, told.trial, room.refusal), options, target)
    weigher = Weigher(
        whole,
        log,
        lambda rows: extract_tasks(
            module, target.core.isa, length, overrides, options.operators, rows
        ),
        lambda at_height: Recorder(at_height, measured_by, log),
        told.model,
    )
    weighed = weigher.weigh(tasks, before, Limits(limit, options.code))
    records = used_points(weighed.records, weighed.after)
    points = measure_front(whole, as_schedules(records), told.model) if options.front else []
    loops = front_record(weighed.before, weighed.after, points)
    folder = out / target.core.name
    files = write_records(folder, conditions, records)
    files += write_records(
        folder, _conditions(target, None), {LOOPS_FILE: [loops] if loops else []}
    )
    if points:
        write_text(out / PLOT, front_svg(points, f"{target.name}, {length} tokens"))
    best = [best_of(task, log) for task in tasks]
    summary = _summary(target, conditions, log, best, weighed, files, points)
    write_text(out / SUMMARY, json.dumps(summary, indent=2) + "\n")
    return summary


def _length(module: IntegerModule, options: TuneOptions) -> int:
    length = options.length or module.max_length
    if not 1 <= length <= module.max_length:
        raise UsageError(
            f"The model takes no input of {length} tokens.",
            where="length",
            supported=f"1 to {module.max_length} tokens",
        )
    return length


def _check_operators(tasks: Sequence[Task], wanted: Sequence[str], module: IntegerModule) -> None:
    missing = set(wanted) - {task.operator for task in tasks}
    if missing:
        raise UsageError(
            f"The model has no operator {sorted(missing)[0]!r}.",
            where="operators",
            supported=", ".join(sorted({call.operator for call in module.calls})),
        )


def _conditions(target: Target, meter: Meter | None) -> Conditions:
    """Return the conditions of a meter's counts; of whole models, in the emulator, without one."""
    compiler = CROSS_TOOLCHAINS[target.core.toolchain].compiler(target.core.flags)
    told = run([compiler.program, "--version"], Path.cwd(), "ask the compiler's version")
    counted = meter or EmulatorMeter(target, 1)
    return Conditions(
        core=target.core.name,
        flags=target.core.flags,
        compiler=told.splitlines()[0],
        tvm=version("apache-tvm"),
        unit=counted.unit,
        runner=counted.runner,
    )


def _header(conditions: Conditions, length: int, options: TuneOptions) -> dict[str, Any]:
    """Return what must stay the same when a session is resumed."""
    return {
        "core": conditions.core,
        "flags": list(conditions.flags),
        "compiler": conditions.compiler,
        "tvm": conditions.tvm,
        "unit": conditions.unit,
        "length": length,
        "seed": options.seed,
        "search": options.search,
        "batch": options.batch,
        "source": options.source,
        "arena": options.arena,
        "code": options.code,
    }


def _search(
    tasks: Sequence[Task], recorder: Recorder, options: TuneOptions, target: Target
) -> None:
    from tvm_embbert.tune.meta.search import SearchOptions

    source = nearest_core(target.core) if options.source is None else options.source
    known = known_elsewhere(tasks, source, target.core.name) if source not in ("", "none") else []
    first = [(name, config) for name, config, _ in known]
    how = SearchOptions(options.trials, options.batch, options.seed, options.search)
    tune(tasks, recorder, how, known, first)


def _summary(
    target: Target,
    conditions: Conditions,
    log: TrialLog,
    best: Sequence[Best],
    weighed: Weighed,
    files: Sequence[Path],
    points: Sequence[FrontPoint],
) -> dict[str, Any]:
    trials = log.trials.values()
    before, after = weighed.before, weighed.after
    return {
        "target": target.name,
        "core": target.core.name,
        "unit": conditions.unit,
        "trials": {
            "measured": len(trials),
            "failed": sum(t.count is None and t.error != "differs" for t in trials),
            "differing": sum(t.error == "differs" for t in trials),
        },
        "tasks": [_task_summary(b, log) for b in best],
        "model": {
            "length": log.header["length"],
            "before": before.total,
            "after": after.total,
            "arena_before": before.arena,
            "arena_after": after.arena,
            "code_before": before.code,
            "code_after": after.code,
            "operators": _operators(before, after),
        },
        "front": [point.as_json() for point in points],
        "records": [str(path) for path in files],
    }


def _task_summary(best: Best, log: TrialLog) -> dict[str, Any]:
    return {
        "task": best.task.name,
        "steps": best.task.steps,
        "candidates": best.task.size,
        "trials": len(log.of(best.task.name)),
        "before": best.default.count,
        "after": best.best.count,
        "config": best.best.config,
    }


def _operators(before: Counted, after: Counted) -> dict[str, dict[str, int]]:
    tuned = after.by_operator()
    return {
        name: {"before": total, "after": tuned[name]}
        for name, total in sorted(before.by_operator().items())
    }
