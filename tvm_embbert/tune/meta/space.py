"""A task as MetaSchedule sees it: a block, whose annotations hold what was chosen of each knob."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from tvm.ir.utils import derived_object
from tvm.s_tir import Schedule
from tvm.s_tir import meta_schedule as ms
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from tvm_embbert.strategy.knobs import Config, Knob, Value
from tvm_embbert.strategy.operator import Tensor
from tvm_embbert.tune.task import Task

_BLOCK, _FUNCTION, _TASK, _KNOB = "operator", "main", "embbert.task", "embbert.knob."


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


def space(knobs: Sequence[Knob]) -> Callable[[Any], None]:
    """Return what samples a value of each knob into the block's annotations."""

    def sample(schedule: Any) -> None:
        block = schedule.get_sblock(_BLOCK, _FUNCTION)
        for knob in knobs:
            count = len(knob.values)
            chosen = schedule.sample_categorical(list(range(count)), [1.0 / count] * count)
            schedule.annotate(block, _KNOB + knob.name, chosen)

    return sample


@derived_object
class MutateKnob(ms.mutator.PyMutator):
    """Moves one knob to another of its values: to a neighbour, or anywhere."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed, self._rng = seed, np.random.default_rng(seed)

    def _initialize_with_tune_context(self, context: Any) -> None:
        pass

    def apply(self, trace: Any, _: Any = None) -> Any:
        """Return a trace with one decision changed; None where there is nothing to change."""
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
        """Return a mutator that begins anew with the same seed."""
        return MutateKnob(self._seed)


def chosen(mod: Any, task: Task, config: Config) -> Any:
    """Return a task's module scheduled with given values of its knobs."""
    schedule = Schedule(mod, seed=1)
    block = schedule.get_sblock(_BLOCK, _FUNCTION)
    for knob in task.knobs:
        schedule.annotate(block, _KNOB + knob.name, knob.values.index(config[knob.name]))
    return schedule
