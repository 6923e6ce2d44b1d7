"""The log of a tuning session: what was measured, a line each, never rewritten."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tvm_embbert.errors import InputError, UsageError
from tvm_embbert.strategy.knobs import Value

VERSION = 1


@dataclass(frozen=True)
class Trial:
    """A measured candidate.

    Attributes
    ----------
    task : str
        Name of the task.
    config : dict
        A value of each knob.
    count : int or None
        Instructions or cycles of one run; None if it failed.
    scratch, code : int
        Bytes of scratch in the arena, and of the kernel's code with its intrinsics; 0 if it failed.
    error : str
        Why it failed: ``differs`` if a byte was not the reference's.
    parts : dict
        Bytes of `code` that are intrinsics', by their names: kernels of a model share these. An
        estimate where they were inlined.
    """

    task: str
    config: dict[str, Value]
    count: int | None
    scratch: int = 0
    code: int = 0
    error: str = ""
    parts: dict[str, int] = field(default_factory=dict)

    @cached_property
    def key(self) -> tuple[str, str]:
        """Return what tells candidates apart."""
        return self.task, json.dumps(self.config, sort_keys=True)


@dataclass(frozen=True)
class ModelTrial:
    """A whole model that was built and run.

    Attributes
    ----------
    model : str
        Digest of its C sources.
    total : int
        Instructions of an inference.
    steps : dict
        Instructions of each step.
    ram, flash, code : int
        Bytes of the image's RAM and flash, and of the library's code.
    """

    model: str
    total: int
    steps: dict[str, int]
    ram: int
    flash: int
    code: int


@dataclass
class TrialLog:
    """Trials in a file: lost at most is the batch that was under way when the session died."""

    path: Path
    header: Mapping[str, Any]
    trials: dict[tuple[str, str], Trial] = field(default_factory=dict)
    models: dict[str, ModelTrial] = field(default_factory=dict)
    """Whole models by their digests."""

    @classmethod
    def open(cls, path: Path, header: Mapping[str, Any], resume: bool) -> TrialLog:
        """Start a log, or go on with one.

        Parameters
        ----------
        path : Path
            The file; its folder is made.
        header : mapping
            What must be the same when the session goes on: target, compiler, seed.
        resume : bool
            Whether to go on where there is a log.

        Raises
        ------
        UsageError
            There is a log and `resume` is not set, or it is that of another session.
        InputError
            The log is damaged in the middle.
        """
        log = cls(path, {"version": VERSION, **header})
        if path.exists() and path.stat().st_size:
            log._read(resume)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            log._append([json.dumps(log.header)])
        return log

    def add(self, trials: list[Trial]) -> None:
        """Append trials; returns when they are on the disk."""
        self.trials.update({t.key: t for t in trials})
        self._append([json.dumps(asdict(t)) for t in trials])

    def add_model(self, trial: ModelTrial) -> None:
        """Append a whole model; returns when it is on the disk."""
        self.models[trial.model] = trial
        self._append([json.dumps(asdict(trial))])

    def of(self, task: str) -> list[Trial]:
        """Return the trials of a task in the order that they were made."""
        return [t for t in self.trials.values() if t.task == task]

    def _append(self, lines: list[str]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())

    def _read(self, resume: bool) -> None:
        if not resume:
            raise UsageError(
                "The folder holds the log of an earlier session.",
                where=str(self.path),
                hint="Go on with it by --resume, or choose another folder with --out.",
            )
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            # The last line was being written when the session died.
            os.truncate(self.path, len(whole))
        header, *rows = self._parsed(whole)
        self._check(header)
        for row in rows:
            self._remember(row)

    def _remember(self, row: dict[str, Any]) -> None:
        if "model" in row:
            self.models[row["model"]] = ModelTrial(**row)
        else:
            trial = Trial(**row)
            self.trials[trial.key] = trial

    def _parsed(self, data: bytes) -> Iterator[dict[str, Any]]:
        if not data:
            self._append([json.dumps(self.header)])
            yield json.loads(json.dumps(self.header))
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise InputError(
                    f"The log of trials is damaged: {error.msg}.",
                    where=f"{self.path}, line {number}",
                    hint="Remove the line, or begin anew with another --out.",
                ) from error

    def _check(self, header: Mapping[str, Any]) -> None:
        changed = sorted(
            name
            for name in header.keys() | self.header.keys()
            if header.get(name) != json.loads(json.dumps(self.header.get(name)))
        )
        if changed:
            told = ", ".join(
                f"{n} was {header.get(n)!r}, is {self.header.get(n)!r}" for n in changed
            )
            raise UsageError(
                f"The log is that of another session: {told}.",
                where=str(self.path),
                hint="Give the same arguments again, or begin anew with another --out.",
            )
