"""A kernel with knobs that change nothing, a meter with a formula, and a broken candidate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.kernels.portable.linear import PortableLinear
from tvm_embbert.strategy.knobs import Config, Knob
from tvm_embbert.strategy.operator import IntegerCall, Kernel
from tvm_embbert.tune.candidate import Candidate
from tvm_embbert.tune.meter import Meter, failed
from tvm_embbert.tune.trial_log import Trial


class KnobbyLinear(PortableLinear):
    """The portable kernel under any block: 6 x 6 x 5 x 3 candidates."""

    def knobs(self, call: IntegerCall) -> tuple[Knob, ...]:
        return (
            Knob("rows", (1, 2, 3, 4, 5, 6), 1),
            Knob("columns", (1, 2, 3, 4, 5, 6), 4),
            Knob("unroll", (1, 2, 4, 8, 16), 1),
        )


def cost(config: Config) -> int:
    """Return a count with a register limit: blocks of more than 9 spill."""
    rows, columns, unroll = (int(config[n]) for n in ("rows", "columns", "unroll"))
    spilled = 2.0 if rows * columns > 9 else 1.0
    level = {"Os": 0.1, "O2": 0.0, "O3": 0.03}[str(config["optimize"])]
    return int(1000 * (1 + spilled * (rows + columns) / (rows * columns) + 0.5 / unroll + level))


class FormulaMeter(Meter):
    """Counts by the formula; candidates of 5 rows are wrong, those of 6 columns crash."""

    def __init__(self, dies_after: int | None = None) -> None:
        self.measured: list[Config] = []
        self._dies_after = dies_after

    @property
    def runner(self) -> str:
        return "formula"

    def measure(self, candidates: Sequence[Candidate]) -> list[Trial]:
        if self._dies_after is not None and len(self.measured) >= self._dies_after:
            raise KeyboardInterrupt
        self.measured += [c.config for c in candidates]
        return [self._one(c) for c in candidates]

    def _one(self, candidate: Candidate) -> Trial:
        config = dict(candidate.config)
        if config["rows"] == 5:
            return failed(candidate, "differs")
        if config["columns"] == 6:
            return failed(candidate, "the device stopped")
        rows, unroll = int(config["rows"]), int(config["unroll"])
        return Trial(candidate.task.name, config, cost(config), 100 * rows, 40 * rows + 10 * unroll)


class Broken(Candidate):
    """A candidate with C of its own before its kernel."""

    text = ""

    @property
    def kernel(self) -> Kernel:  # type: ignore[override]
        kernel = super().kernel
        broken = Intrinsic("te_broken", self.text, kernel.prim_func)
        return replace(kernel, intrinsics=(*kernel.intrinsics, broken))


class Uncompilable(Broken):
    text = "this is no C"
