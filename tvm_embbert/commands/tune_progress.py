"""What a person sees of a tuning session: how far, how fast, how good so far."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tvm_embbert.commands.output import note
from tvm_embbert.tune.options import Told
from tvm_embbert.tune.session import SMALL, default_config
from tvm_embbert.tune.task import Task
from tvm_embbert.tune.trial_log import Trial
from tvm_embbert.tune.whole import Counted

EVERY_S = 10.0
"""Seconds between lines where output is no terminal."""


class TuneProgress:
    """Shows a bar on a terminal, a line from time to time elsewhere, nothing with JSON."""

    def __init__(self, trials: int, quiet: bool) -> None:
        self._trials, self._quiet = trials, quiet
        self._tasks: dict[str, Task] = {}
        self._defaults: dict[str, int] = {}
        self._best: dict[str, int] = {}
        self._done = 0
        self._begun = self._told_at = time.monotonic()
        self._console = note()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=self._console, disable=quiet)
        self._line = self._bar.add_task("measuring the kernels", total=None, rate="")

    def __enter__(self) -> Self:
        """Show the bar."""
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove it."""
        self._bar.stop()

    @property
    def told(self) -> Told:
        """Return whom the session tells."""
        return Told(self._on_tasks, self._on_trial, self._on_model, self._on_searched)

    def _on_tasks(self, tasks: Sequence[Task]) -> None:
        self._tasks = {task.name: task for task in tasks}
        small = sum(task.size for task in tasks if task.size <= SMALL)
        large = sum(1 for task in tasks if task.size > SMALL)
        room = sum(task.size for task in tasks if task.size > SMALL)
        self._bar.update(self._line, total=small + min(room, large + self._trials))

    def _on_trial(self, trial: Trial) -> None:
        self._done += 1
        task = self._tasks[trial.task]
        if trial.count is not None:
            known = self._best.get(trial.task, trial.count)
            self._best[trial.task] = min(known, trial.count)
            if trial.config == default_config(task):
                self._defaults[trial.task] = trial.count
        self._bar.update(self._line, completed=self._done, rate=self._rate())
        self._bar.update(self._line, description=self._gain())
        self._tell(f"{self._done} candidates, {self._rate()}, {self._gain()}")

    def _on_model(self, counted: Counted) -> None:
        rows = ", ".join(str(loop.rows) for loop in counted.lowered.program.loops) or "all"
        text = (
            f"whole model, tiles of {rows} rows: {counted.total:,}, arena {counted.arena:,} bytes,"
            f" code {counted.code:,}"
        )
        self._bar.update(self._line, description=text)
        self._tell(text, always=True)

    def _on_searched(self, done: int, most: int) -> None:
        self._bar.update(self._line, completed=done, total=most, rate="")
        self._tell(f"searching whole models, {done} of at most {most}", always=True)

    def _rate(self) -> str:
        minutes = (time.monotonic() - self._begun) / 60
        return f"{self._done / minutes:.0f} trials/min" if minutes else ""

    def _gain(self) -> str:
        """Return what the best so far would save, by the kernels' counts alone."""
        runs = {name: self._tasks[name].runs for name in self._defaults}
        before = sum(self._defaults[name] * n for name, n in runs.items())
        after = sum(self._best[name] * n for name, n in runs.items())
        return f"best so far {100 * (1 - after / before):.1f}% less" if before else "measuring"

    def _tell(self, text: str, always: bool = False) -> None:
        """Print a line where there is no terminal."""
        now = time.monotonic()
        if self._quiet or self._console.is_terminal:
            return
        if always or now - self._told_at >= EVERY_S:
            self._told_at = now
            self._console.print(text)
