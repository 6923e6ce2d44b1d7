"""The schedule as C: kernel calls in order, those of a loop for one tile of rows after another."""

from __future__ import annotations

from collections.abc import Mapping

from tvm_embbert.codegen.c_printer import CFunction
from tvm_embbert.codegen.names import Names, c_name
from tvm_embbert.program.access import BEFORE, ROWS
from tvm_embbert.program.program import Access, Argument, Loop, Program, Step
from tvm_embbert.strategy.operator import ITEM_SIZES

_WIDTH = 100


def print_schedule(names: Names, program: Program, functions: Mapping[str, CFunction]) -> str:
    """Return the statements that call all kernels."""
    lines: list[str] = []
    for index, step in enumerate(program.steps):
        loop = program.loop_of(index)
        if loop and loop.first == index:
            lines += _head(loop)
        lines += _Call(names, program, functions, loop).lines(index, step)
        if loop and loop.last == index:
            lines += [*_moves(program, loop), "  }"]
    return "\n".join(lines)


def _head(loop: Loop) -> list[str]:
    return [
        f"  for (int32_t first = 0; first < n; first += {loop.rows}) {{",
        f"    const int32_t rows = te_min(n - first, {loop.rows});",
    ]


def _moves(program: Program, loop: Loop) -> list[str]:
    """Return the statements that keep the last rows of windows for the next tile."""
    lines = []
    for index in loop.steps:
        name = program.steps[index].writes
        history = program.local.get(name, 0)
        if history:
            (result,) = (a for a in program.steps[index].arguments if a.value == name)
            size = history * result.row_elements * ITEM_SIZES[program.buffers[name].dtype]
            window = c_name(name)
            lines.append(f"    memmove({window}, {window} + rows * {result.row_elements}, {size});")
    return lines


class _Call:
    """Prints the calls of one loop, or those outside of any."""

    def __init__(
        self,
        names: Names,
        program: Program,
        functions: Mapping[str, CFunction],
        loop: Loop | None,
    ) -> None:
        self._names, self._program, self._functions = names, program, functions
        self._loop = loop
        self._indent = "    " if loop else "  "

    def lines(self, index: int, step: Step) -> list[str]:
        """Return the call of a step, broken to fit the line."""
        arguments = [self._argument(step, a) for a in step.arguments]
        arguments += [self._dimension(step, d) for d in self._functions[step.kernel].dims]
        call = f"{self._indent}{self._names.symbol(step.kernel)}("
        lines = [f"{self._indent}TVMGEN_STEP({index}); /* {step.name} */", call + arguments[0]]
        for argument in arguments[1:]:
            if len(lines[-1]) + len(argument) + 3 < _WIDTH:
                lines[-1] += f", {argument}"
            else:
                lines[-1] += ","
                lines.append(f"{self._indent}    {argument}")
        return [*lines[:-1], lines[-1] + ");"]

    def _dimension(self, step: Step, name: str) -> str:
        if name == BEFORE:
            return f"te_min(first, {step.window})" if self._loop else "0"
        return "rows" if self._loop and name == ROWS else str(step.dims[name])

    def _argument(self, step: Step, argument: Argument) -> str:
        if argument.kind == "scalar":
            value = int(argument.value)
            return f"INT64_C({value})" if abs(value) >= 2**31 else str(value)
        name = str(argument.value)
        constant = argument.kind == "constant"
        symbol = self._names.symbol(name) if constant else c_name(name)
        return symbol + (self._offset(step, argument) if self._loop else "")

    def _offset(self, step: Step, argument: Argument) -> str:
        """Return where in a buffer or table the rows of the tile begin."""
        if argument.access is Access.WHOLE:
            return ""
        row, window = argument.row_elements, argument.access is Access.WINDOW
        history = (
            self._program.local.get(str(argument.value)) if argument.kind == "buffer" else None
        )
        if history is None:
            first = f"te_max(first - {step.window}, 0)" if window and step.window else "first"
            return f" + {first}{_times(row)}"
        if window and step.window:
            return f" + ({history} - te_min(first, {step.window})){_times(row)}"
        return f" + {history * row}" if history else ""


def _times(row: int) -> str:
    return "" if row == 1 else f" * {row}"
