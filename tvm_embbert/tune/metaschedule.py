"""What we use of MetaSchedule: a task's search space, mutations, features and the search itself.

A kernel's knobs are sampled into annotations of one block, so that MetaSchedule's traces, database,
evolutionary search and XGBoost model work as they do on loops; the builder reads the annotations
and makes the kernel. All that is sensitive to TVM's version in tuning is in here.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import log2
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import tvm
from tvm.ir.utils import derived_object
from tvm.s_tir import Schedule
from tvm.s_tir import meta_schedule as ms
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from tvm_embbert.strategy.knobs import Config, Knob, Value
from tvm_embbert.strategy.operator import Tensor
from tvm_embbert.tune.task import Task

_BLOCK, _FUNCTION, _TASK, _KNOB = "operator", "main", "embbert.task", "embbert.knob."
_LOGGER = logging.getLogger("tvm_embbert.tune.metaschedule")


def workload(task: Task) -> Any:
    """Return the PrimFunc that stands for a task: one block that reads the inputs and writes the
    result, and calls the operator."""
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name(_FUNCTION)
        T.func_attr({_TASK: task.name})
        tensors = [a for a in (*task.call.args, task.call.output) if isinstance(a, Tensor)]
        buffers = [_declared(task, number, tensor) for number, tensor in enumerate(tensors)]
        with T.sblock(_BLOCK):
            *inputs, result = (_whole(buffer) for buffer in buffers)
            T.reads(*inputs)
            T.writes(result)
            starts = [T.address_of(b[(0,) * len(b.shape)]) for b in buffers]
            T.evaluate(T.call_extern("void", task.operator, *starts))
    return builder.get()


def _declared(task: Task, number: int, tensor: Tensor) -> Any:
    shape = tuple(task.length if isinstance(d, str) else d for d in tensor.shape) or (1,)
    return T.arg(f"x{number}", T.buffer(shape, tensor.dtype))


def _whole(buffer: Any) -> Any:
    return buffer[tuple(slice(0, d) for d in buffer.shape)]


def decisions(mod: Any, knobs: Mapping[str, Sequence[Knob]]) -> tuple[str, dict[str, Value]]:
    """Return the task's name and the values chosen, from a scheduled module.

    `knobs` has those of each task, by its name.
    """
    name = str(mod[_FUNCTION].attrs[_TASK])
    schedule = Schedule(mod)
    annotations = schedule.get(schedule.get_sblock(_BLOCK, _FUNCTION)).annotations
    chosen = {k.name: k.values[int(annotations[_KNOB + k.name])] for k in knobs[name]}
    return name, chosen


def _space(knobs: Sequence[Knob]) -> Callable[[Any], None]:
    def sample(schedule: Any) -> None:
        block = schedule.get_sblock(_BLOCK, _FUNCTION)
        for knob in knobs:
            count = len(knob.values)
            chosen = schedule.sample_categorical(list(range(count)), [1.0 / count] * count)
            schedule.annotate(block, _KNOB + knob.name, chosen)

    return sample


@derived_object
class _MutateKnob(ms.mutator.PyMutator):
    """Moves one knob to another of its values: to a neighbour, or anywhere."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed, self._rng = seed, np.random.default_rng(seed)

    def _initialize_with_tune_context(self, context: Any) -> None:
        pass

    def apply(self, trace: Any, _: Any = None) -> Any:
        sampled = [i for i in trace.insts if i.kind.name == "SampleCategorical"]
        movable = [i for i in sampled if len(i.attrs[0]) > 1]
        if not movable:
            return None
        knob = movable[int(self._rng.integers(len(movable)))]
        count, now = len(knob.attrs[0]), int(trace.decisions[knob])
        step = int(self._rng.choice((-1, 1)))
        near = self._rng.random() < 0.5 and 0 <= now + step < count
        new = now + step if near else (now + int(self._rng.integers(1, count))) % count
        return trace.with_decision(knob, new, remove_postproc=True)

    def clone(self) -> Any:
        return _MutateKnob(self._seed)


class Features:
    """Features of candidates: a column for each number and each word that a knob may have.

    All tasks share the columns, so that one model learns from all.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._knobs = {task.name: task.knobs for task in tasks}
        self._tasks = {task.name: number for number, task in enumerate(tasks)}
        names = {(k.name, v) for t in tasks for k in t.knobs for v in _columns(k)}
        self._columns = {key: i for i, key in enumerate(sorted(names, key=str))}

    def of(self, name: str, config: Config) -> Any:
        """Return the features of a task's candidate, float32 (1, columns)."""
        row = np.zeros((1, len(self._columns) + len(self._tasks)), np.float32)
        for knob in self._knobs[name]:
            value = config[knob.name]
            if isinstance(value, int):
                row[0, self._columns[knob.name, "number"]] = log2(1 + abs(value))
            else:
                row[0, self._columns[knob.name, value]] = 1
        row[0, len(self._columns) + self._tasks[name]] = 1
        return row

    def extractor(self) -> Any:
        """Return the features as MetaSchedule takes them."""
        return _FeatureExtractor(self, self._knobs)


def _columns(knob: Knob) -> Iterable[str]:
    return {v if isinstance(v, str) else "number" for v in knob.values}


@derived_object
class _FeatureExtractor(ms.feature_extractor.PyFeatureExtractor):
    def __init__(self, features: Features, knobs: Mapping[str, Sequence[Knob]]) -> None:
        super().__init__()
        self._features, self._knobs = features, knobs

    def extract_from(self, context: Any, candidates: Any) -> Any:
        found = (decisions(c.sch.mod, self._knobs) for c in candidates)
        return [tvm.runtime.tensor(self._features.of(*each)) for each in found]


@dataclass(frozen=True)
class Measured:
    """What became of a candidate: its instructions or cycles, or why it has none."""

    count: int | None
    error: str = ""


Measure = Callable[[Sequence[tuple[str, dict[str, Value]]]], Sequence[Measured]]
"""Measures candidates, each a task's name and a value of each knob."""


@derived_object
class _Builder(ms.builder.PyBuilder):
    """Hands the candidates on: they are built where they are measured, many in an image."""

    def __init__(self, knobs: Mapping[str, Sequence[Knob]], batch: list[Any]) -> None:
        super().__init__()
        self._knobs, self._batch = knobs, batch

    def build(self, build_inputs: Any) -> Any:
        first = len(self._batch)
        self._batch.extend(decisions(i.mod, self._knobs) for i in build_inputs)
        numbers = range(first, len(self._batch))
        return [ms.builder.BuilderResult(str(number), None) for number in numbers]


@derived_object
class _Future(ms.runner.PyRunnerFuture):
    def __init__(self, measured: Measured) -> None:
        super().__init__()
        self._measured = measured

    def done(self) -> bool:
        return True

    def result(self) -> Any:
        if self._measured.count is None:
            return ms.runner.RunnerResult(None, self._measured.error or "failed")
        # The search minimises seconds; what they stand for does not matter to it.
        return ms.runner.RunnerResult([float(self._measured.count)], None)


@derived_object
class _Runner(ms.runner.PyRunner):
    def __init__(self, measure: Measure, batch: list[Any], raised: list[BaseException]) -> None:
        super().__init__()
        self._measure, self._batch, self._raised = measure, batch, raised

    def run(self, runner_inputs: Any) -> Any:
        wanted = [self._batch[int(str(i.artifact_path))] for i in runner_inputs]
        try:
            return [_Future(measured) for measured in self._measure(wanted)]
        except BaseException as error:
            self._raised.append(error)  # on its way through C++ it loses its type
            raise


@dataclass(frozen=True)
class SearchOptions:
    """How the search goes.

    Attributes
    ----------
    trials : int
        Candidates to measure in all.
    batch : int
        Candidates that are measured at a time.
    seed : int
        The same seed and the same counts give the same candidates.
    model : str
        ``xgb``: XGBoost guides the search; ``random``: chance does, without repeating itself.
    per_task : int or None
        Candidates of one task at most.
    """

    trials: int
    batch: int = 16
    seed: int = 0
    model: str = "xgb"
    per_task: int | None = None


Known = Sequence[tuple[str, Config, int]]
"""Candidates measured before, elsewhere maybe: task, values of knobs, count."""


def search(
    tasks: Sequence[Task], measure: Measure, options: SearchOptions, known: Known = ()
) -> None:
    """Search the tasks' spaces; what is found is what `measure` sees.

    Parameters
    ----------
    tasks : sequence of Task
        With more than one candidate each.
    measure : callable
        Measures a batch of candidates.
    options : SearchOptions
        How far, from which seed.
    known : sequence
        The cost model learns from these before the first batch.
    """
    knobs = {task.name: task.knobs for task in tasks}
    batch: list[Any] = []
    # MetaSchedule draws from NumPy's global generator while its model is untrained.
    np.random.seed(options.seed)
    with _without_intrinsics():
        contexts = [_context(task, options) for task in tasks]
    model = _cost_model(Features(tasks), options)
    for context, task in zip(contexts, tasks, strict=True):
        _teach(model, context, [k for k in known if k[0] == task.name], task)
    raised: list[BaseException] = []
    try:
        _tune_tasks(contexts, tasks, options, model, (knobs, batch, measure, raised))
    except RuntimeError:
        if raised:
            raise raised[0] from None
        raise


def _tune_tasks(
    contexts: Sequence[Any],
    tasks: Sequence[Task],
    options: SearchOptions,
    model: Any,
    measuring: tuple[Mapping[str, Sequence[Knob]], list[Any], Measure, list[BaseException]],
) -> None:
    knobs, batch, measure, raised = measuring
    ms.tune_tasks(
        tasks=contexts,
        task_weights=[task.runs for task in tasks],
        work_dir=str(Path.cwd()),
        max_trials_global=options.trials,
        max_trials_per_task=options.per_task or options.trials,
        num_trials_per_iter=options.batch,
        builder=_Builder(knobs, batch),
        runner=_Runner(measure, batch, raised),
        database=ms.database.MemoryDatabase(),
        cost_model=model,
        measure_callbacks=[
            ms.measure_callback.UpdateCostModel(),
            ms.measure_callback.AddToDatabase(),
        ],
        task_scheduler=ms.task_scheduler.GradientBased(seed=options.seed + 1),
    )


@contextmanager
def _without_intrinsics() -> Iterator[None]:
    """Keep contexts from importing TVM's tensor intrinsics: parsing them takes a minute, and none
    is of use to kernels of microcontrollers."""
    name = "tvm.s_tir.tensor_intrin"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = ModuleType(name)
    try:
        yield
    finally:
        del sys.modules[name]


def _context(task: Task, options: SearchOptions) -> Any:
    space = ms.space_generator.ScheduleFn(
        _space(task.knobs),
        sch_rules=[],
        postprocs=[],
        mutator_probs={_MutateKnob(options.seed): 1.0},
    )
    greedy = 0.1 if options.model == "xgb" else 1.0
    return ms.TuneContext(
        workload(task),
        target=tvm.target.Target("c"),
        space_generator=space,
        search_strategy=ms.search_strategy.EvolutionarySearch(
            population_size=min(256, task.size),
            init_min_unmeasured=1,
            genetic_num_iters=3,
            eps_greedy=greedy,
        ),
        task_name=task.name,
        rand_state=options.seed + 1,
        num_threads=1,  # more would take candidates in another order each time
        logger=_LOGGER,
    )


def _cost_model(features: Features, options: SearchOptions) -> Any:
    if options.model == "random":
        return ms.cost_model.RandomModel(seed=options.seed)
    return ms.cost_model.XGBModel(
        extractor=features.extractor(),
        num_warmup_samples=options.batch,
        adaptive_training=False,
        config=ms.cost_model.xgb_model.XGBConfig(nthread=1, seed=options.seed),
    )


def _teach(model: Any, context: Any, known: Known, task: Task) -> None:
    """Let the model learn from counts of candidates."""
    if not known or not isinstance(model, ms.cost_model.XGBModel):
        return
    candidates, results = [], []
    for _, config, count in known:
        schedule = Schedule(context.mod, seed=1)
        block = schedule.get_sblock(_BLOCK, _FUNCTION)
        for knob in task.knobs:
            index = knob.values.index(config[knob.name])
            schedule.annotate(block, _KNOB + knob.name, index)
        arguments = ms.arg_info.ArgInfo.from_entry_func(schedule.mod, remove_preproc=True)
        candidates.append(ms.MeasureCandidate(schedule, arguments))
        results.append(ms.runner.RunnerResult([float(count)], None))
    model.update(context, candidates, results)
