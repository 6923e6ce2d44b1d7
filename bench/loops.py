"""Instructions and products of each turn of the kernels' innermost loops, in the linked images.

What is counted is what stands in the code: how often a loop turns is another matter. Products are
counted by mnemonic (bench/products.py), whatever they are for.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from control_flow import ControlFlow, Line, Loop
from products import NONE, SHARED, Products, products_of

import tvm_embbert
from tvm_embbert.folder import write_text
from tvm_embbert.measure.cross import CROSS_TOOLCHAINS
from tvm_embbert.measure.disassembly import disassemble, instructions_in, listing
from tvm_embbert.measure.image import image_stem
from tvm_embbert.models.checkpoint import Model
from tvm_embbert.program.program import Program, Step
from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.target import Target

PAGE = Path(__file__).parents[1] / "docs" / "benchmark.md"
RESULTS = Path(__file__).with_name("results.json")
BEGIN, END = "<!-- loops -->\n\n", "\n<!-- end of loops -->"
BOARDS = ("mps2-an385", "mps2-an386", "mps3-an547", "virt-rv32", "virt-rv32v")
"""A board of each instruction set; all have portable kernels as well."""
_FLAGS = {"armv8.1-m-mve": ("-m", "armv8.1-m.main")}
"""What objdump must be told to know the instructions of a set."""
_KERNEL = re.compile(r"tvmgen_\w+?_((?:[a-z]+_)*?kernel_\d+)$")


@dataclass(frozen=True)
class Turn:
    """A turn of an innermost loop, or a function without loops; pairs are least and most.

    Both are None where nobody can tell. `products` are not `exact` where fewer lanes may be active.
    """

    function: str
    kernels: tuple[str, ...]
    what: str
    instructions: tuple[int, int] | None
    products: tuple[float, float] | None
    exact: bool = True
    calls: tuple[str, ...] = ()


def main() -> int:
    """Print the tables, and write them into the page unless asked for some boards alone."""
    options = _parser().parse_args()
    model = tvm_embbert.load_model("snips")
    integer = tvm_embbert.quantize_model(model)
    if options.board:
        turns = {board: list(turns_on(model, integer, board)) for board in options.board}
        print(tables(turns))
    else:
        write_page(model, integer)
    return 0


def write_page(model: Model, integer: IntegerModule) -> None:
    """Bring the tables in the page up to date."""
    turns = {board: list(turns_on(model, integer, board)) for board in BOARDS}
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    write_text(PAGE, f"{head}{BEGIN}{tables(turns)}{END}{rest.partition(END)[2]}")


def tables(turns: Mapping[str, Sequence[Turn]]) -> str:
    """Return a table for each board, in Markdown, behind what `make bench` measured there."""
    results = measurements()
    parts = [f"{_heading(b, results[b])}\n\n{_table(found)}\n" for b, found in turns.items()]
    return "\n".join(parts)


def measurements() -> dict[str, Any]:
    """Return what `make bench` measured, by board."""
    results: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return results


def measured(result: Mapping[str, Any]) -> dict[str, float]:
    """Return instructions for each multiply-accumulate at 256 tokens, by operator with any."""
    counts = result["lengths"]["256"]["operators"].items()
    return {o: c["instructions"] / c["macs"] for o, c in counts if c["macs"]}


def _heading(board: str, result: Mapping[str, Any]) -> str:
    ratios = ", ".join(f"{name} {ratio:.3f}" for name, ratio in measured(result).items())
    return f"### {board}\n\nMeasured, all of an operator: {ratios}."


def turns_on(model: Model, integer: IntegerModule, board: str) -> Iterator[Turn]:
    """Yield what there is in a model's image for a board."""
    lowered = tvm_embbert.lower_model(model, integer, board)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        compiled = tvm_embbert.build(lowered, out, model, measure=False)
        stem = image_stem(compiled.report["model"]["name"], board)
        sets = {s.kernel: _set(lowered.program, s) for s in lowered.program.steps}
        yield from turns_in(out / "image" / f"{stem}.elf", lowered.target, sets)


def _set(program: Program, step: Step) -> str:
    """Return the instruction set of a step's kernel, and how rows share words where it varies."""
    triple = any("_triple_" in i.name for i in program.calls.get(step.kernel, ()))
    return step.choice.implementation.isa + (" triple" if triple else "")


def turns_in(elf: Path, target: Target, sets: Mapping[str, str]) -> Iterator[Turn]:
    """Yield what there is in the kernels of an image and the functions that these call.

    `sets` has the instruction set of each kernel, as :data:`products.SHARED` knows it.
    """
    cross = CROSS_TOOLCHAINS[target.core.toolchain]
    users = _users(elf, target)
    flags = _FLAGS.get(target.core.isa[0], ())
    lines = instructions_in(listing(elf, cross, flags), cross.parse)
    for label, group in groupby(lines, key=lambda line: line[0]):
        if label in users:
            code = [Line(at, i) for _, at, i in group if not str(i).startswith(".")]
            used = {sets[kernel] for kernel in users[label]}
            shared = SHARED.get(used.pop(), NONE) if len(used) == 1 else NONE
            yield from turns_of(label, users[label], ControlFlow(code), shared)


def turns_of(
    function: str, kernels: tuple[str, ...], flow: ControlFlow, shared: Mapping[str, float] = NONE
) -> Iterator[Turn]:
    """Yield the innermost loops of a function, or all of it where it has none.

    Products in the code around the innermost loops, which no turn has, are told as well. The
    instructions in `shared` make so many.
    """
    products, loops = products_of(flow, shared), flow.innermost()
    if loops is None:
        yield Turn(function, kernels, "loops not to be told apart", None, None)
        return
    around = flow.reached.difference(*(loop.body for loop in loops))
    if not loops:
        whole = Loop(0, flow.reached)
        yield _turn(Turn(function, kernels, "once", None, None), flow, whole, products)
        return
    for number, loop in enumerate(loops, 1):
        yield _turn(Turn(function, kernels, f"loop {number}", None, None), flow, loop, products)
    if count := sum(products[place].number != 0 for place in around):
        what = f"around them: {count} multiplication{'s' * (count > 1)}"
        yield Turn(function, kernels, what, None, None)


def _turn(unknown: Turn, flow: ControlFlow, loop: Loop, products: Sequence[Products]) -> Turn:
    """Fill in the ways through a loop, or through what has none."""
    here = [products[place] for place in loop.body]
    least, most = flow.ways(loop.head, loop.body, [p.number or 0 for p in products])
    calls = {_called(flow.lines[p]) for p in loop.body if flow.lines[p].instruction.is_call}
    return replace(
        unknown,
        instructions=(least[0], most[0]),
        products=None if any(p.number is None for p in here) else (least[1], most[1]),
        exact=all(p.exact for p in here),
        calls=tuple(sorted(calls)),
    )


def _called(line: Line) -> str:
    found = re.search(r"<([^>+]+)", str(line.instruction))
    return found[1] if found else "?"


def _users(elf: Path, target: Target) -> dict[str, tuple[str, ...]]:
    """Return for each function that kernels run the kernels, by operator and number."""
    routines = {r.address: r for r in disassemble(elf, CROSS_TOOLCHAINS[target.core.toolchain])}
    users: dict[str, set[str]] = {}
    for routine in routines.values():
        kernel = _KERNEL.match(routine.name)
        waiting = [routine] if kernel else []
        while waiting:
            here = waiting.pop()
            if kernel and kernel[1] not in users.setdefault(here.name, set()):
                users[here.name].add(kernel[1])
                waiting += [routines[a] for a in here.calls if a in routines]
    return {name: tuple(sorted(kernels)) for name, kernels in users.items()}


def _table(turns: Sequence[Turn]) -> str:
    shown = [t for t in turns if t.products is None or t.products[1]]
    head = "| function | of | turn | instructions | products | ratio |"
    return "\n".join([head, "|---|---|---|---|---|---|", *map(_row, shown)])


def _row(turn: Turn) -> str:
    name = re.sub(r"^tvmgen_[a-z0-9]+_|\.(constprop|isra|part)\.\d+", "", turn.function)
    kernels = "" if name in turn.kernels else ", ".join(f"`{k}`" for k in turn.kernels)
    cells = (f"`{name}`", kernels, turn.what, *_figures(turn))
    return f"| {' | '.join(cells)} |"


def _figures(turn: Turn) -> tuple[str, str, str]:
    calls = f", without those of {', '.join(turn.calls)}" if turn.calls else ""
    instructions = f"{_span(turn.instructions)}{calls}" if turn.instructions else "not judged"
    if not turn.products or not turn.instructions:
        return instructions, "not judged", ""
    most = "" if turn.exact else "at most "
    share = turn.instructions[1] / turn.products[1]
    return instructions, f"{most}{_span(turn.products)}", f"{share:.3f}"


def _span(pair: tuple[float, float]) -> str:
    return f"{pair[0]:g}" if pair[0] == pair[1] else f"{pair[0]:g} to {pair[1]:g}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--board", action="append", help=f"a board ({', '.join(BOARDS)})")
    return parser


if __name__ == "__main__":
    sys.exit(main())
