"""What a whole model will take with other candidates, told by what was counted so far.

Instructions are those of the steps in a model that was built with the candidate, or else its own in
proportion to what others took alone and in a model: the least of these, so that what may gain is
built. Code is that of the kernels, and of each intrinsic once, however many kernels of one
optimisation level call it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tvm_embbert.program.program import Loop
from tvm_embbert.strategy.knobs import OPTIMIZE
from tvm_embbert.tune.task import Identity, Task
from tvm_embbert.tune.trial_log import Trial
from tvm_embbert.tune.whole import Counted

Choice = Mapping[Identity, Trial]
"""The candidate that makes each task's kernel."""

Place = tuple[tuple[Loop, ...], Identity]
"""A task in models of the same loops."""

Part = tuple[str, str]
"""An intrinsic's function: kernels of one optimisation level are one file, and share it."""


@dataclass(frozen=True, eq=False)
class Made:
    """A whole model that was counted, and what made it: candidates and the height of its tiles,
    None where the compiler chose them."""

    choice: Choice
    counted: Counted
    tile_rows: int | None


@dataclass(eq=False)
class Forecast:
    """Learns from the models that are counted, and tells what others will take.

    Attributes
    ----------
    tasks : sequence of Task
        At the rows of the models' tiles.
    """

    tasks: Sequence[Task]
    _steps: dict[Identity, list[str]] = field(init=False)
    _known: dict[Place, dict[str, tuple[int, int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._steps = {task.identity: task.steps for task in self.tasks}

    def learn(self, made: Made) -> None:
        """Remember what the candidates of a model took in it."""
        loops = made.counted.lowered.program.loops
        for identity, trial in made.choice.items():
            figures = trial.count or 0, self._now(made, identity)
            self._known.setdefault((loops, identity), {})[trial.key[1]] = figures

    def count(self, made: Made, changed: Choice) -> int:
        """Return the instructions of a model with other candidates for some tasks."""
        return made.counted.total + sum(
            self._new(made, identity, trial) - self._now(made, identity)
            for identity, trial in changed.items()
        )

    def code(self, made: Made, changed: Choice) -> int:
        """Return the bytes of its code."""
        less = code_of(made.choice.values())
        return made.counted.code + code_of({**made.choice, **changed}.values()) - less

    def _now(self, made: Made, identity: Identity) -> int:
        return sum(made.counted.steps[name] for name in self._steps[identity])

    def _new(self, made: Made, identity: Identity, trial: Trial) -> int:
        known = self._known[made.counted.lowered.program.loops, identity]
        if trial.key[1] in known:
            return known[trial.key[1]][1]
        alone = trial.count or 0
        return min(there * alone // max(1, here) for here, there in known.values())


def code_of(trials: Iterable[Trial]) -> int:
    """Return the bytes of candidates' code, with what they share once."""
    own, shared = 0, dict[Part, int]()
    for trial in trials:
        parts = parts_of(trial)
        own += trial.code - sum(parts.values())
        shared |= parts
    return own + sum(shared.values())


def parts_of(trial: Trial) -> dict[Part, int]:
    """Return the bytes of a candidate's intrinsics, by what tells whether kernels share them."""
    level = str(trial.config.get(OPTIMIZE.name, OPTIMIZE.default))
    return {(level, name): size for name, size in trial.parts.items()}
