"""Measuring candidates: build an image of several, run each where it will run, compare and count.

A meter answers for a batch. Images that do not build or that crash are halved until the candidate
at fault is alone: no candidate takes others down with it.
"""

from __future__ import annotations

import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tvm_embbert.errors import DeviceError, EmbBertError, ToolchainError
from tvm_embbert.measure import Image, build_image, open_session
from tvm_embbert.measure.map_file import Piece, read_map
from tvm_embbert.measure.session import Session
from tvm_embbert.measure.wiring import require_emulator
from tvm_embbert.target import Target
from tvm_embbert.tune.bench_sources import CHECK, PREPARE, RUN, kernel_file, write_bench
from tvm_embbert.tune.candidate import Candidate
from tvm_embbert.tune.trial_log import Trial

STACK_BYTES = 8192
TIMEOUT_S = 60.0
COMPILE_S = 60.0
"""Seconds for a candidate's compilation: usual ones take one, and halves try it again."""
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
        """Share the candidates out over as many images as may be built at a time."""
        return measure_shared(candidates, self._jobs, self._together)

    def _together(self, candidates: Sequence[Candidate]) -> list[Trial]:
        with tempfile.TemporaryDirectory(prefix="tvm-embbert-tune-") as folder:
            image = build_bench(candidates, self._target, Path(folder))
            with open_session(image, TIMEOUT_S) as session:
                return trials_of(candidates, image, run_bench(len(candidates), session))


Together = Callable[[Sequence[Candidate]], list[Trial]]
"""Measures candidates of one image; any of them may make it fail."""


def measure_shared(candidates: Sequence[Candidate], jobs: int, together: Together) -> list[Trial]:
    """Measure candidates in as many images at a time as there are jobs."""
    share = -(-len(candidates) // max(1, jobs))
    parts = [candidates[i : i + share] for i in range(0, len(candidates), share)]
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


def build_bench(
    candidates: Sequence[Candidate], target: Target, folder: Path, link: str = "semihosting"
) -> Image:
    """Build the image of some candidates inside a folder; see :func:`build_image` for `link`."""
    sources = folder / "sources"
    shutil.rmtree(sources, ignore_errors=True)
    sources.mkdir()
    written = write_bench(candidates, sources)
    out = folder / "image"
    return build_image(written, target, out, False, STACK_BYTES, link=link, compile_s=COMPILE_S)


@dataclass(frozen=True)
class Outcome:
    """What a candidate took, in the meter's unit, and whether any byte was wrong."""

    count: int | None
    differs: bool


def run_bench(candidates: int, session: Session) -> list[Outcome]:
    """Run each of an image's candidates in a session."""
    return [_run_one(session, number) for number in range(candidates)]


def _run_one(session: Session, number: int) -> Outcome:
    session.infer([number, PREPARE])
    answer = session.infer([number, RUN])
    count = answer.cycles if answer.instructions is None else answer.instructions
    return Outcome(count, bool(session.infer([number, CHECK]).logits[0]))


def trials_of(
    candidates: Sequence[Candidate], image: Image, outcomes: Sequence[Outcome]
) -> list[Trial]:
    """Return the trials of an image's candidates."""
    rows = zip(candidates, outcomes, function_bytes(candidates, image), strict=True)
    return [_trial(*row) for row in rows]


def _trial(candidate: Candidate, outcome: Outcome, functions: Mapping[str, int]) -> Trial:
    if outcome.differs:
        return failed(candidate, "differs")
    name, config = candidate.task.name, dict(candidate.config)
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


def function_bytes(candidates: Sequence[Candidate], image: Image) -> list[dict[str, int]]:
    """Return the bytes of each candidate's code, by function: the kernel's, and those of the
    intrinsics that it calls, as far as they were not inlined."""
    pieces = [p for p in read_map(image.map_file).pieces if p.of_model and p.output == ".text"]
    files = [Path(kernel_file(number)).stem for number in range(len(candidates))]
    return [_functions(p for p in pieces if _source(p) == file) for file in files]


def _source(piece: Piece) -> str:
    # An object is called NNN_<source>.o.
    return Path(piece.file).stem[4:]


def _functions(pieces: Iterable[Piece]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for piece in pieces:
        name = piece.name.removeprefix(".text.").partition(".")[0]
        sizes[name] = sizes.get(name, 0) + piece.size
    return sizes


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
