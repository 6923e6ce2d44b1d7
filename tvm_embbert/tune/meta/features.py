"""Features of candidates for the cost model: the values of their knobs.

TVM's own describe loops and memory accesses of TIR. What sets our candidates apart lies in the C
of their intrinsics, which these do not see.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import log2
from typing import Any

import numpy as np
import tvm
from tvm.ir.utils import derived_object
from tvm.s_tir import meta_schedule as ms

from tvm_embbert.strategy.knobs import Config, Knob
from tvm_embbert.tune.meta.space import decisions
from tvm_embbert.tune.task import Task


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
