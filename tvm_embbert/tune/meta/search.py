"""The search: MetaSchedule's evolutionary search under a cost model by XGBoost, or by chance."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import tvm
from tvm.s_tir import meta_schedule as ms

from tvm_embbert.strategy.knobs import Config, Knob
from tvm_embbert.tune.meta.features import Features
from tvm_embbert.tune.meta.measuring import Builder, Measure, Measured, Runner
from tvm_embbert.tune.meta.space import MutateKnob, chosen, space, workload
from tvm_embbert.tune.task import Task

POPULATION = 4096
"""Candidates that the cost model ranks before each batch. Spaces have some thousand at most: nearly
all are looked at, and one generation is enough."""

WARMUP = 16
"""Candidates that chance takes before the model does."""

GREEDY = 0.25
"""Share of each later batch that is left to chance, lest the model follow an early error."""

XGBOOST = {"max_depth": 5, "gamma": 0.0, "eta": 0.3}
"""Counts of good candidates differ by some percent: at MetaSchedule's gamma, made for times that
differ by factors, few trees would split at all."""

_LOGGER = logging.getLogger("tvm_embbert.tune.search")

__all__ = ["Known", "Measure", "Measured", "SearchOptions", "search"]


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
    refined : int
        Of so many candidates one is a neighbour of the best, after the search; 0 for none.
    """

    trials: int
    batch: int = 16
    seed: int = 0
    model: str = "xgb"
    per_task: int | None = None
    refined: int = 4


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
        builder=Builder(knobs, batch),
        runner=Runner(measure, batch, raised),
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
    generator = ms.space_generator.ScheduleFn(
        space(task.knobs),
        sch_rules=[],
        postprocs=[],
        mutator_probs={MutateKnob(options.seed): 1.0},
    )
    greedy = GREEDY if options.model == "xgb" else 1.0
    return ms.TuneContext(
        workload(task),
        target=tvm.target.Target("c"),
        space_generator=generator,
        search_strategy=ms.search_strategy.EvolutionarySearch(
            population_size=min(POPULATION, task.size),
            init_min_unmeasured=1,
            genetic_num_iters=1,
            genetic_mutate_prob=0.5,
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
        num_warmup_samples=WARMUP,
        adaptive_training=False,
        config=ms.cost_model.xgb_model.XGBConfig(nthread=1, seed=options.seed, **XGBOOST),
    )


def _teach(model: Any, context: Any, known: Known, task: Task) -> None:
    """Let the model learn from counts of candidates."""
    if not known or not isinstance(model, ms.cost_model.XGBModel):
        return
    candidates, results = [], []
    for _, config, count in known:
        schedule = chosen(context.mod, task, config)
        arguments = ms.arg_info.ArgInfo.from_entry_func(schedule.mod, remove_preproc=True)
        candidates.append(ms.MeasureCandidate(schedule, arguments))
        results.append(ms.runner.RunnerResult([float(count)], None))
    model.update(context, candidates, results)
