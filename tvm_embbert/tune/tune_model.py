"""Tune a model for a target: search, weigh the whole model, write records and a summary."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from tvm_embbert.tune.options import NOBODY, Told, TuneOptions
from tvm_embbert.tune.pareto import front_record, measure_front
from tvm_embbert.tune.records import Conditions, Record, write_records
from tvm_embbert.tune.room import Room
from tvm_embbert.tune.scales import Scales
from tvm_embbert.tune.schedules import no_schedules
from tvm_embbert.tune.session import Recorder, best_of, tune
from tvm_embbert.tune.summary import Outcome, summary
from tvm_embbert.tune.task import ROWS, Task, extract_tasks
from tvm_embbert.tune.transfer import known_elsewhere, nearest_core
from tvm_embbert.tune.trial_log import TrialLog
from tvm_embbert.tune.weigh import Weighed, Weigher
from tvm_embbert.tune.whole import SLACK, Counted, Limits, Whole, as_schedules, used_points
from tvm_embbert.tune.whole_pass import WholePass

LOG, SUMMARY, PLOT, LOOPS_FILE = "trials.jsonl", "summary.json", "front.svg", "loops"


def tune_model(
    module: IntegerModule,
    target: Target,
    out: Path,
    options: TuneOptions,
    overrides: Mapping[str, str] | None = None,
    meter: Meter | None = None,
    told: Told = NOBODY,
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
    whole = Whole(module, target, _length(module, options), overrides or {})
    measured_by = meter or EmulatorMeter(target, options.jobs)
    conditions = _conditions(target, measured_by)
    log = TrialLog.open(out / LOG, _header(conditions, whole.length, options), options.resume)
    scales = Scales(whole, log, told.model)
    outcome = _Session(options, whole, measured_by, scales, told).run()
    files = _write(outcome, out, conditions, target)
    told_of = summary(target, outcome, files)
    write_text(out / SUMMARY, json.dumps(told_of, indent=2) + "\n")
    return told_of


@dataclass(frozen=True, eq=False)
class _Session:
    """What a session works with."""

    options: TuneOptions
    whole: Whole
    meter: Meter
    scales: Scales
    told: Told

    @property
    def log(self) -> TrialLog:
        return self.scales.log

    def run(self) -> Outcome:
        """Search kernels, weigh whole models, search among these."""
        tasks = self.tasks_of(ROWS)
        _check_operators(tasks, self.options.operators, self.whole.module)
        before = self.scales.count(self.whole.lower(no_schedules()))
        limits = Limits(_arena(self.options, before), self.options.code)
        tasks = self._searched(tasks, Room(self.whole, max(limits.arena, before.arena)))
        weighed = self._weighed(tasks, before, limits)
        records = as_schedules(used_points(weighed.records, weighed.after))
        measured = self.options.front
        points = measure_front(self.whole, records, self.scales.count) if measured else []
        return Outcome(self.log, [best_of(task, self.log) for task in tasks], weighed, points)

    def tasks_of(self, rows: int) -> list[Task]:
        """Return the tasks at some rows of a tile."""
        whole, operators = self.whole, self.options.operators
        isa = whole.target.core.isa
        return extract_tasks(whole.module, isa, whole.length, whole.overrides, operators, rows)

    def _searched(self, tasks: Sequence[Task], room: Room) -> list[Task]:
        """Search the candidates that there is room for; returns the tasks as they were tuned."""
        narrowed = [room.narrow(task) for task in tasks]
        self.told.tasks(narrowed)
        recorder = Recorder(narrowed, self.meter, self.log, self.told.trial, room.refusal)
        _search(narrowed, recorder, self.options, self.whole.target)
        return narrowed

    def _weighed(self, tasks: Sequence[Task], before: Counted, limits: Limits) -> Weighed:
        weigher = Weigher(self.whole, self.log, self.tasks_of, self._recorder_of, self.scales.count)
        weighed = weigher.weigh(tasks, before, limits)
        search = WholePass(weigher, limits, self.options.models, self.told.searched)
        return search.improve(tasks, weighed)

    def _recorder_of(self, tasks: Sequence[Task]) -> Recorder:
        return Recorder(tasks, self.meter, self.log)


def _arena(options: TuneOptions, before: Counted) -> int:
    return before.arena + before.arena // SLACK if options.arena is None else options.arena


def _write(outcome: Outcome, out: Path, conditions: Conditions, target: Target) -> list[Path]:
    """Write records and the front's plot; returns the files of records."""
    weighed, points = outcome.weighed, outcome.points
    loops = front_record(weighed.before, weighed.after, points)
    folder = out / target.core.name
    files = write_records(folder, conditions, used_points(weighed.records, weighed.after))
    of_model: dict[str, list[Record]] = {LOOPS_FILE: [loops] if loops else []}
    files += write_records(folder, _conditions(target, None), of_model)
    if points:
        told = f"{target.name}, {outcome.log.header['length']} tokens"
        write_text(out / PLOT, front_svg(points, told))
    return files


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
