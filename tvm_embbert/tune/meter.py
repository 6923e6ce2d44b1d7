"""Measuring candidates: build an image of several, run each where it will run, compare and count.

A meter answers for a batch. Images that do not build or that crash are halved until the candidate
at fault is alone: no candidate takes others down with it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from tvm_embbert.errors import DeviceError, EmbBertError, ToolchainError
from tvm_embbert.measure.wiring import require_emulator
from tvm_embbert.target import Target
from tvm_embbert.tune.bench import Outcome, emulated
from tvm_embbert.tune.bench_sources import bench_files
from tvm_embbert.tune.candidate import Candidate
from tvm_embbert.tune.trial_log import Trial

TOGETHER = 8
"""Candidates of an image: as many whatever the jobs, as a count may differ by a few instructions
with what else is in the image, and records must not depend on how many machines there were."""

LONGEST_ERROR = 400


class Meter(ABC):
    """Measures candidates on some device."""

    @abstractmethod
    def measure(self, candidates: Sequence[Candidate]) -> list[Trial]:
        """Return a trial for each candidate, in their order; failures are trials, too."""

    @property
    def unit(self) -> str:
        """Return what is counted: ``instructions`` or ``cycles``."""
        return "instructions"

    @property
    @abstractmethod
    def runner(self) -> str:
        """Return where the candidates run."""


class EmulatorMeter(Meter):
    """Builds images in parallel and runs them in QEMU."""

    def __init__(self, target: Target, jobs: int) -> None:
        self._target, self._jobs = target, max(1, jobs)

    @property
    def runner(self) -> str:
        """Return QEMU's machine."""
        emulator = require_emulator(self._target)
        return f"{emulator.program} {emulator.machine}"

    def measure(self, candidates: Sequence[Candidate]) -> list[Trial]:
        """Share the candidates out over images, as many at a time as there are jobs."""
        return measure_shared(candidates, self._jobs, self._together)

    def _together(self, candidates: Sequence[Candidate]) -> list[Trial]:
        outcomes = emulated(bench_files(candidates), len(candidates), self._target)
        return trials_of(candidates, outcomes)


Together = Callable[[Sequence[Candidate]], list[Trial]]
"""Measures candidates of one image; any of them may make it fail."""


def measure_shared(candidates: Sequence[Candidate], jobs: int, together: Together) -> list[Trial]:
    """Measure candidates in as many images at a time as there are jobs."""
    parts = [candidates[i : i + TOGETHER] for i in range(0, len(candidates), TOGETHER)]
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        done = pool.map(lambda part: measure_halving(part, together), parts)
        return [trial for part in done for trial in part]


def measure_halving(candidates: Sequence[Candidate], together: Together) -> list[Trial]:
    """Measure candidates together; where that fails, each half by itself."""
    try:
        return together(candidates)
    except (ToolchainError, DeviceError) as error:
        if len(candidates) == 1:
            return [failed(candidates[0], " ".join(str(error).split())[:LONGEST_ERROR])]
        half = len(candidates) // 2
        return [
            *measure_halving(candidates[:half], together),
            *measure_halving(candidates[half:], together),
        ]


def trials_of(candidates: Sequence[Candidate], outcomes: Sequence[Outcome]) -> list[Trial]:
    """Return the trials of candidates by what they took."""
    return [_trial(*row) for row in zip(candidates, outcomes, strict=True)]


def _trial(candidate: Candidate, outcome: Outcome) -> Trial:
    if outcome.differs:
        return failed(candidate, "differs")
    name, config, functions = candidate.task.name, dict(candidate.config), outcome.functions
    code, parts = sum(functions.values()), intrinsic_bytes(candidate, functions)
    return Trial(name, config, outcome.count, candidate.scratch_bytes, code, parts=parts)


def intrinsic_bytes(candidate: Candidate, functions: Mapping[str, int]) -> dict[str, int]:
    """Return the bytes of a candidate's intrinsics, given those of the functions in its object.

    What the compiler put into the kernel is shared out by the length of the C: an estimate.
    """
    texts = {i.name: len(i.c) for i in candidate.kernel.intrinsics}
    apart = {name: size for name, size in functions.items() if name in texts}
    inlined = {name: length for name, length in texts.items() if name not in apart}
    own = sum(functions.values()) - sum(apart.values())
    length = len(candidate.function.body) + sum(inlined.values())
    estimated = {name: own * part // length for name, part in inlined.items()}
    return dict(sorted({**apart, **estimated}.items()))


def failed(candidate: Candidate, error: str) -> Trial:
    """Return the trial of a candidate that has no count."""
    return Trial(candidate.task.name, dict(candidate.config), None, error=error)


def invalid(candidate: Candidate) -> str:
    """Return why a candidate's values do not go together, or the empty string."""
    try:
        _ = candidate.function
    except EmbBertError as error:
        return str(error).splitlines()[0]
    return ""
