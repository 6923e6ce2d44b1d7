"""Counts of whole models: each is built and run once a session, and remembered in the log."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from tvm_embbert.lowering import Lowered
from tvm_embbert.tune.trial_log import ModelTrial, TrialLog
from tvm_embbert.tune.whole import Counted, Whole, count


@dataclass(frozen=True, eq=False)
class Scales:
    """Counts whole models.

    Attributes
    ----------
    whole : Whole
        Made them; has the sentence to count on.
    log : TrialLog
        Remembers what was counted, for a session that is resumed, too.
    told : callable
        Is told of each model that is asked for.
    """

    whole: Whole
    log: TrialLog
    told: Callable[[Counted], None]

    def count(self, lowered: Lowered) -> Counted:
        """Return what a model takes: built and run now, or remembered.

        Raises
        ------
        ToolchainError, DeviceError
            It does not build, or does not run.
        """
        key = digest(lowered)
        if key not in self.log.models:
            self.log.add_model(_trial(key, count(lowered, self.whole.ids)))
        known = self.log.models[key]
        counted = Counted(lowered, known.total, known.steps, known.ram, known.flash, known.code)
        self.told(counted)
        return counted


def digest(lowered: Lowered) -> str:
    """Return what tells whole models apart: a digest of their C sources."""
    made = hashlib.sha256()
    for name, text in sorted(lowered.library.files.items()):
        made.update(f"{name}\n{text}\n".encode())
    return made.hexdigest()[:32]


def _trial(key: str, counted: Counted) -> ModelTrial:
    figures = counted.ram, counted.flash, counted.code
    return ModelTrial(key, counted.total, counted.steps, *figures)
