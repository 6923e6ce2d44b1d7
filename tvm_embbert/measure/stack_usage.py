"""An upper bound of the stack that an image uses, from the compiler's figures and the call graph.

Frames of all that is compiled here are the compiler's own; those of library functions are read off
their instructions. Calls are those in the instructions of the linked image, which also has what the
linker and the assembler add, and those that the compiler tells, which also has the ones that go
through a register.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from tvm_embbert.errors import ToolchainError
from tvm_embbert.measure.callgraph_info import CompiledFunction, read_callgraph_info
from tvm_embbert.measure.cross import CrossToolchain
from tvm_embbert.measure.disassembly import Routine, disassemble
from tvm_embbert.measure.map_file import Map, read_map


@dataclass(frozen=True)
class StackBound:
    """The most bytes of stack that an image may use, from the reset to the deepest point.

    Attributes
    ----------
    total : int
        Bytes of the whole run, interrupts and faults left out: there are none.
    path : tuple of (str, int)
        The functions of the deepest chain of calls, outermost first, with the bytes of each.
    infer : int
        Bytes of the model's ``tvmgen_<model>_infer`` and all below it alone: what a firmware that
        calls it must have left on its own stack. Of several candidates, those of the first.
    """

    total: int
    path: tuple[tuple[str, int], ...]
    infer: int


@dataclass(frozen=True)
class Frame:
    """A function in an image: bytes of its frame, addresses of those that it calls.

    ``problem`` says why there is no bound, or is None.
    """

    name: str
    size: int
    calls: tuple[int, ...]
    problem: str | None


class CallGraph:
    """The functions of an image by address, and bounds of the stack below each."""

    def __init__(self, frames: Mapping[int, Frame]) -> None:
        self._frames = frames
        self._deepest: dict[int, tuple[int, ...]] = {}

    def bound(self, name: str) -> tuple[tuple[str, int], ...]:
        """Return the deepest chain of calls from a function: names and bytes, outermost first.

        Raises
        ------
        ToolchainError
            If there is no such function, or no bound: recursion, a frame whose size is only known
            at run time, or a call through a pointer.
        """
        roots = [address for address, frame in self._frames.items() if frame.name == name]
        if not roots:
            raise ToolchainError(f"The image has no function {name!r}.", where="stack bound")
        chain = self._chain(roots[0], ())
        return tuple((self._frames[a].name, self._frames[a].size) for a in chain)

    def _chain(self, address: int, callers: tuple[int, ...]) -> tuple[int, ...]:
        if address in callers:
            raise self._recursion((*callers[callers.index(address) :], address))
        if address not in self._deepest:
            frame = self._frames[address]
            if frame.problem:
                raise _unbounded(frame.problem)
            chains = [self._chain(called, (*callers, address)) for called in frame.calls]
            self._deepest[address] = (address, *max(chains, key=self._bytes, default=()))
        return self._deepest[address]

    def _bytes(self, chain: Sequence[int]) -> int:
        return sum(self._frames[address].size for address in chain)

    def _recursion(self, ring: Sequence[int]) -> ToolchainError:
        names = [self._frames[address].name for address in ring]
        return _unbounded(f"{names[0]!r} calls itself ({' -> '.join(names)})")


def read_call_graph(elf: Path, map_file: Path, build: Path, cross: CrossToolchain) -> CallGraph:
    """Return the call graph of a linked image.

    Parameters
    ----------
    elf, map_file
        The image and its map file.
    build
        Folder of the build: objects have the paths that the map file tells, and beside each that
        was compiled there lies its ``.ci`` file.
    cross
        The toolchain that built it.

    Raises
    ------
    ToolchainError
        If objdump is missing or fails, or the map file cannot be read.
    """
    compiled = _Compiled(read_map(map_file), build)
    routines = disassemble(elf, cross)
    named: dict[str, set[int]] = {}
    for routine in routines:
        named.setdefault(routine.name, set()).add(routine.address)
    return CallGraph({r.address: _frame(r, compiled.function(r), named) for r in routines})


def stack_bound(graph: CallGraph, model: str) -> StackBound:
    """Return the bound of a model's image; raise :class:`ToolchainError` if there is none."""
    path = graph.bound("Reset_Handler")
    return StackBound(_total(path), path, _total(graph.bound(f"tvmgen_{model}_infer")))


def fault_stack(graph: CallGraph) -> int:
    """Return the most bytes of stack that the report of a fault uses, on a stack of its own."""
    return _total(graph.bound("report_fault"))


def _total(path: Sequence[tuple[str, int]]) -> int:
    return sum(size for _, size in path)


class _Compiled:
    """The compiler's figures, for the functions of an image that have some."""

    def __init__(self, found: Map, build: Path) -> None:
        self._pieces = {p.address: p.file for p in found.pieces if p.output == ".text" and p.size}
        self._build = build
        self._read: dict[Path, dict[str, CompiledFunction]] = {}

    def function(self, routine: Routine) -> CompiledFunction | None:
        """Return the figures of a routine, or None if it was not compiled here."""
        # Each function has a section of its own, which begins with it.
        file = self._pieces.get(routine.address)
        if file is None:
            return None
        path = self._build / PurePath(file).with_suffix(".ci")
        if path not in self._read:
            self._read[path] = read_callgraph_info(path) if path.is_file() else {}
        return self._read[path].get(routine.name)


def _frame(
    routine: Routine, compiled: CompiledFunction | None, named: Mapping[str, set[int]]
) -> Frame:
    calls = set(routine.calls)
    if compiled is None or not routine.instructions:
        calls |= set() if routine.next is None else {routine.next}
        return Frame(routine.name, routine.frame, tuple(sorted(calls)), _problem(routine))
    # What the compiler names but the image lacks was left out after all, or is an alias of another
    # function: then the instructions have it.
    calls = calls.union(*(named.get(name, ()) for name in compiled.calls))
    # The compiler does not know what assembly inside a function pushes.
    size = compiled.frame or routine.frame
    return Frame(routine.name, size, tuple(sorted(calls)), _problem_of(routine.name, compiled))


def _problem(routine: Routine) -> str | None:
    if not routine.instructions:
        return f"{routine.name!r} could not be disassembled"
    if routine.dynamic:
        return f"{routine.name!r} moves the stack pointer by a variable amount ({routine.dynamic})"
    if routine.indirect:
        return f"{routine.name!r} goes to an address that is not in the code ({routine.indirect})"
    return None


def _problem_of(name: str, compiled: CompiledFunction) -> str | None:
    if not compiled.bounded:
        return f"{name!r} has a frame of variable size (alloca or an array of variable length)"
    return f"{name!r} calls through a pointer" if compiled.indirect else None


def _unbounded(reason: str) -> ToolchainError:
    return ToolchainError(
        f"The stack of the image has no upper bound: {reason}.",
        where="stack bound",
        supported="direct calls without recursion, and frames of fixed size",
        hint="Change the function, or give the stack's size with build_image(..., stack_size=...).",
    )
