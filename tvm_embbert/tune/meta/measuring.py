"""Builder and runner as MetaSchedule wants them: both hand on to what measures batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tvm.ir.utils import derived_object
from tvm.s_tir import meta_schedule as ms

from tvm_embbert.strategy.knobs import Knob, Value
from tvm_embbert.tune.meta.space import decisions


@dataclass(frozen=True)
class Measured:
    """What became of a candidate: its instructions or cycles, or why it has none."""

    count: int | None
    error: str = ""


Measure = Callable[[Sequence[tuple[str, dict[str, Value]]]], Sequence[Measured]]
"""Measures candidates, each a task's name and a value of each knob."""


@derived_object
class Builder(ms.builder.PyBuilder):
    """Hands the candidates on: they are built where they are measured, many in an image."""

    def __init__(self, knobs: Mapping[str, Sequence[Knob]], batch: list[Any]) -> None:
        super().__init__()
        self._knobs, self._batch = knobs, batch

    def build(self, build_inputs: Any) -> Any:
        """Number the candidates of a batch."""
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
class Runner(ms.runner.PyRunner):
    """Measures a batch; an error of ours is kept, to be raised again behind C++."""

    def __init__(self, measure: Measure, batch: list[Any], raised: list[BaseException]) -> None:
        super().__init__()
        self._measure, self._batch, self._raised = measure, batch, raised

    def run(self, runner_inputs: Any) -> Any:
        """Return what each candidate of a batch took."""
        wanted = [self._batch[int(str(i.artifact_path))] for i in runner_inputs]
        try:
            return [_Future(measured) for measured in self._measure(wanted)]
        except BaseException as error:
            self._raised.append(error)  # on its way through C++ it loses its type
            raise
