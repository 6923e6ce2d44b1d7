"""How to tune, and whom to tell of the progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tvm_embbert.tune.task import Task
from tvm_embbert.tune.trial_log import Trial
from tvm_embbert.tune.whole import Counted

MODELS = 40
"""Whole models that are searched where the user says nothing."""


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
    models : int
        Whole models that are searched at most after the weighing.
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
    models: int = MODELS


@dataclass(frozen=True)
class Told:
    """Whom to tell of the session's progress; nobody by default."""

    tasks: Callable[[Sequence[Task]], None] = field(default=lambda _: None)
    trial: Callable[[Trial], None] = field(default=lambda _: None)
    model: Callable[[Counted], None] = field(default=lambda _: None)
    searched: Callable[[int, int], None] = field(default=lambda _done, _most: None)
    """Of whole models: how many the search made, and how many it may."""


NOBODY = Told()
"""Nobody is told."""
