"""From an integer module to a planned program and its C library for one target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from tvm_embbert import compat
from tvm_embbert.codegen.header import Interface
from tvm_embbert.codegen.library import Library, generate
from tvm_embbert.codegen.names import Names
from tvm_embbert.fusion.fuse import Fused, fuse
from tvm_embbert.memory.plan import DEFAULT_PLANNER, MemoryPlan, plan_memory
from tvm_embbert.memory.space import Space, spaces_of
from tvm_embbert.program.build import build_program
from tvm_embbert.program.program import Program
from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.target import Target
from tvm_embbert.target_file import load_target
from tvm_embbert.tune.schedules import Schedules, no_schedules, shipped_schedules
from tvm_embbert.tune.signature import program_key


@dataclass(frozen=True)
class MemoryOptions:
    """How memory is saved and planned.

    Attributes
    ----------
    planner : str
        Name of a planning algorithm.
    tile_rows : int or None
        Rows of every tile in loops; 0 for no loops, None to let the compiler choose.
    arena : int or None
        Bytes that the arena may take: of the points that tuning measured the fastest is taken that
        takes no more. None for the usual one, near the least arena.
    """

    planner: str = DEFAULT_PLANNER
    tile_rows: int | None = None
    arena: int | None = None


DEFAULT_MEMORY = MemoryOptions()


@dataclass(frozen=True, eq=False)
class Lowered:
    """A program with its memory plan, for one target; nothing is compiled yet.

    Attributes
    ----------
    unfused : Program
        Steps, kernels, constants: each step for all rows at once.
    fused : Fused
        The same with loops over tiles of rows, and its memory plan.
    target : Target
        The device.
    names : Names
        Prefix of symbols.
    interface : Interface
        Labels and vocabulary.
    options : MemoryOptions
        How memory is planned.
    schedules : Schedules
        Records that the kernels were made by.
    overrides : mapping
        Implementations that were asked for.
    """

    unfused: Program
    fused: Fused
    target: Target
    names: Names
    interface: Interface
    options: MemoryOptions = DEFAULT_MEMORY
    schedules: Schedules = field(default_factory=no_schedules)
    overrides: Mapping[str, str] = field(default_factory=dict)

    @property
    def program(self) -> Program:
        """Return the program that runs."""
        return self.fused.program

    @property
    def plan(self) -> MemoryPlan:
        """Return its memory plan."""
        return self.fused.plan

    @property
    def estimate(self) -> int:
        """Return what its loops, and kernels with less scratch than they like, cost: instructions
        of an inference of the greatest length, by estimate."""
        return self.fused.cost + round(self.schedules.lost(self.plan.length))

    def within(self, limits: Mapping[str, int], length: int | None = None) -> Lowered:
        """Return it with loops and a plan that fit `limits`, bytes by pool, if any do.

        With a `length` in tokens it is planned for inputs of up to that many. Tuned kernels may get
        less scratch, by points of their records: what costs the fewest instructions, by estimate,
        is taken.
        """
        planned = length or self.plan.length
        first, *others = self._with_less_scratch(limits, planned)
        last = others.pop() if others else first
        if first.plan.excess and last.plan.excess:
            return min(first, last, key=lambda each: each.plan.arena)
        fitting = [each for each in (first, *others, last) if not each.plan.excess]
        return min(fitting, key=lambda each: each.estimate)

    def fits(self, limits: Mapping[str, int], length: int) -> MemoryPlan:
        """Return a plan for inputs of up to `length` tokens that fits `limits`, if any does.

        Quicker than :meth:`within`: the kernels have the least scratch, or all that they like.
        """
        spaces = spaces_of(self.target, limits)
        *_, least = (self.schedules, *self.schedules.frugal())
        frugal = _fuse(self._program_by(least), length, spaces, self.options).plan
        if not frugal.excess or least is self.schedules:
            return frugal
        usual = _fuse(self.unfused, length, spaces, self.options).plan
        return min(frugal, usual, key=lambda plan: plan.arena)

    def _with_less_scratch(self, limits: Mapping[str, int], length: int) -> Iterator[Lowered]:
        """Yield it as it is, then with less and less scratch."""
        spaces = spaces_of(self.target, limits)
        yield replace(self, fused=_fuse(self.unfused, length, spaces, self.options))
        for schedules in self.schedules.frugal():
            program = self._program_by(schedules)
            fused = _fuse(program, length, spaces, self.options)
            yield replace(self, unfused=program, fused=fused, schedules=schedules)

    def _program_by(self, schedules: Schedules) -> Program:
        source, isa = self.program.source, self.target.core.isa
        return build_program(source, isa, self.overrides, schedules)

    def show(self) -> None:
        """Print the kernels as TVMScript."""
        self.mod.show()

    @property
    def mod(self) -> compat.Module:
        """Return the kernels' S-TIR as an IRModule."""
        return compat.kernels_module(self.program.kernels)

    @cached_property
    def library(self) -> Library:
        """Return the C sources."""
        copied = self.target.weights_copied
        return generate(self.names, self.program, self.plan, self.interface, copied)

    def explain(self) -> list[dict[str, Any]]:
        """Return for each step which implementation took it, why, and why others did not."""
        return [
            {
                "step": step.name,
                "operator": step.operator,
                "implementation": step.choice.implementation.name,
                "kernel": step.kernel,
                "reason": step.choice.reason,
                "passed_over": dict(step.choice.passed_over),
            }
            for step in self.program.steps
        ]


def lower(
    module: IntegerModule,
    target: Target | str,
    name: str = "model",
    labels: tuple[str, ...] = (),
    vocabulary: int | None = None,
    overrides: Mapping[str, str] | None = None,
    options: MemoryOptions = DEFAULT_MEMORY,
    schedules: Schedules | None = None,
) -> Lowered:
    """Choose kernels for a target, fuse them by rows and plan the memory.

    Parameters
    ----------
    module : IntegerModule
        The quantised model.
    target : Target or str
        A device, or its name or file.
    name : str
        Names the C library: symbols begin with ``tvmgen_<name>``.
    labels : tuple of str
        Names of the logits, for the header; numbers where there are none.
    vocabulary : int, optional
        Number of token ids; where it is not given, the rows of the smallest table they index.
    overrides : mapping, optional
        Implementation to use, by operator or call.
    options : MemoryOptions
        How memory is saved and planned.
    schedules : Schedules, optional
        Tuned records; those that ship for the core where it is not given.
    """
    device = load_target(target) if isinstance(target, str) else target
    tuned = shipped_schedules(device.core) if schedules is None else schedules
    program, tiled = _tuned_program(module, device, overrides, tuned, options)
    fused = _fuse(program, module.max_length, spaces_of(device), tiled)
    named = labels or tuple(str(i) for i in range(program.outputs))
    known = vocabulary or _vocabulary(module)
    interface = Interface(named, known)
    chosen = dict(overrides or {})
    return Lowered(program, fused, device, Names(name), interface, options, tuned, chosen)


def _tuned_program(
    module: IntegerModule,
    device: Target,
    overrides: Mapping[str, str] | None,
    schedules: Schedules,
    options: MemoryOptions,
) -> tuple[Program, MemoryOptions]:
    """Return the program with tuned kernels, and with it the tiles that were measured to be best,
    if any were and the user asks for no others."""
    program = build_program(module, device.core.isa, overrides, schedules)
    tiles = schedules.tiles(program_key(program, module.max_length), options.arena)
    if not tiles or options.tile_rows is not None:
        return program, options
    if "scratch" in tiles:
        limited = schedules.limited(int(tiles["scratch"]))
        program = build_program(module, device.core.isa, overrides, limited)
    return program, replace(options, tile_rows=int(tiles["tile_rows"]))


def _fuse(program: Program, length: int, spaces: Sequence[Space], options: MemoryOptions) -> Fused:
    def plan(candidate: Program, within: Sequence[Space]) -> MemoryPlan:
        return plan_memory(candidate, length, options.planner, within)

    return fuse(program, length, plan, spaces, options.tile_rows)


def with_budget(target: Target, ram: int | None, flash: int | None) -> Target:
    """Return the target with another budget, in bytes."""
    return replace(
        target,
        ram_budget=target.ram_budget if ram is None else ram,
        flash_budget=target.flash_budget if flash is None else flash,
    )


def _vocabulary(module: IntegerModule) -> int:
    """Return the rows of the smallest table that the token ids index."""
    rows: list[int] = [
        call.constants[0].shape[0]
        for call in module.calls
        if call.operator == "gather" and call.tensors[0].name == module.input.name
    ]
    return min(rows)
