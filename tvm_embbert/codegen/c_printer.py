"""A lowered PrimFunc as one C99 function: pointers in, no TVM header, names kept for reading."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tvm_embbert.codegen.c_expression import (
    C_TYPES,
    ExpressionPrinter,
    Node,
    dtype_of,
    is_scalar,
)
from tvm_embbert.errors import UnsupportedOperatorError
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic

_INDENT = "  "
_WIDTH = 100
_NARROW = ("bool", "int8", "int16")


@dataclass(frozen=True)
class CFunction:
    """A printed kernel.

    Attributes
    ----------
    parameters : tuple of str
        Declarations, in the order of the PrimFunc's parameters and then of `dims`.
    dims : tuple of str
        Names of the symbolic dimensions that the kernel uses, passed as int32 at the end.
    body : str
        Statements, indented, braces left out.
    """

    parameters: tuple[str, ...]
    dims: tuple[str, ...]
    body: str

    def prototype(self, name: str) -> str:
        """Return the declaration without its semicolon, broken to fit the line."""
        head = f"void {name}("
        line = head + ", ".join(self.parameters) + ")"
        if len(line) < _WIDTH:
            return line
        return head + ("\n" + 4 * " ") + (",\n" + 4 * " ").join(self.parameters) + ")"

    def definition(self, name: str) -> str:
        """Return the function under a name."""
        return f"{self.prototype(name)} {{\n{self.body}}}\n"


def print_c(
    prim_func: Any, restrict: bool = True, intrinsics: Mapping[str, Intrinsic] | None = None
) -> CFunction:
    """Print a PrimFunc that :func:`~tvm_embbert.program.lower_tir.lower_tir` made.

    Parameters
    ----------
    prim_func : PrimFunc
        Loops over flat buffers.
    restrict : bool
        Whether the parameters may be declared not to overlap.
    intrinsics : mapping, optional
        By name, those that the function calls.
    """
    return _Printer(prim_func, restrict, intrinsics or {}).function()


class _Printer:
    def __init__(self, prim_func: Any, restrict: bool, intrinsics: Mapping[str, Intrinsic]) -> None:
        self._prim_func = prim_func
        self._intrinsics = intrinsics
        self._restrict = restrict
        self._names: dict[Any, str] = {}
        self._taken: set[str] = set()
        self._dims: dict[Any, str] = {}
        self._stored: set[str] = set()
        self._expressions = ExpressionPrinter(self._name_of)

    def function(self) -> CFunction:
        """Print the whole function."""
        for parameter in self._prim_func.params:
            self._declare(parameter)
        body = "".join(f"{_INDENT}{line}\n" for line in self._statement(self._prim_func.body))
        parameters = [self._parameter(p) for p in self._prim_func.params]
        dims = tuple(self._dims.values())
        return CFunction((*parameters, *(f"int32_t {d}" for d in dims)), dims, body)

    def _declare(self, variable: Node) -> str:
        """Give a variable its name, made unique within the function."""
        wanted = re.sub(r"\W", "_", str(variable.name))
        name, number = wanted, 1
        while name in self._taken:
            name, number = f"{wanted}_{number}", number + 1
        self._taken.add(name)
        self._names[variable] = name
        return name

    def _name_of(self, variable: Node) -> str:
        """Return a variable's name; one that nothing declares is a symbolic dimension."""
        if variable not in self._names:
            self._dims[variable] = self._declare(variable)
        return self._names[variable]

    def _parameter(self, parameter: Node) -> str:
        name = self._names[parameter]
        if type(parameter.ty).__name__ != "BufferType":
            return f"{C_TYPES[dtype_of(parameter)]} {name}"
        constant = "" if name in self._stored else "const "
        qualifier = "restrict " if self._restrict else ""
        return f"{constant}{C_TYPES[str(parameter.ty.dtype)]} *{qualifier}{name}"

    def _statement(self, node: Node) -> list[str]:
        printer = getattr(self, f"_print_{type(node).__name__}", None)
        if printer is None:
            raise UnsupportedOperatorError(
                f"TIR's statement {type(node).__name__} cannot be printed as C.",
                where=str(node),
                supported="loops, stores, conditions and local variables",
            )
        lines: list[str] = printer(node)
        return lines

    def _print_SeqStmt(self, node: Node) -> list[str]:
        return [line for statement in node.seq for line in self._statement(statement)]

    def _print_DeclBuffer(self, node: Node) -> list[str]:
        """Let a flattened view have its parameter's name."""
        self._names[node.buffer] = self._names[node.data.args[0]]
        return []

    def _print_AllocBuffer(self, node: Node) -> list[str]:
        name = self._declare(node.buffer)
        size = "" if is_scalar(node.buffer) else f"[{node.buffer.ty.shape[0]}]"
        return [f"{C_TYPES[str(node.buffer.ty.dtype)]} {name}{size};"]

    def _print_BufferStore(self, node: Node) -> list[str]:
        self._stored.add(self._name_of(node.buffer))
        element = self._expressions.element(node.buffer, list(node.indices))
        value = node.value
        if type(value).__name__ == "Add" and self._expressions.text(value.a) == element:
            return [f"{element} += {self._expressions.text(value.b)};"]
        return [f"{element} = {self._fitted(value, str(node.buffer.ty.dtype))};"]

    def _fitted(self, value: Node, dtype: str) -> str:
        """Return the value, cast where C's promotion to int would narrow it without a word."""
        direct = type(value).__name__ in ("TensorLoad", "IntImm", "Var")
        called = type(value).__name__ == "Call" and "extern" in value.op.name
        text = self._expressions.text(value)
        return text if direct or called or dtype not in _NARROW else f"({C_TYPES[dtype]})({text})"

    def _print_For(self, node: Node) -> list[str]:
        start = self._expressions.text(node.min)
        extent = node.extent if str(node.min) == "0" else node.min + node.extent
        stop = self._expressions.text(extent, 10)
        taken = set(self._taken)
        name = self._declare(node.loop_var)
        body = self._block(node.body)
        self._taken = taken | set(self._dims.values())
        return [f"for (int32_t {name} = {start}; {name} < {stop}; ++{name}) {{", *body, "}"]

    def _print_IfThenElse(self, node: Node) -> list[str]:
        head = f"if ({self._expressions.text(node.condition)}) {{"
        lines = [head, *self._block(node.then_case)]
        if node.else_case is not None:
            lines += ["} else {", *self._block(node.else_case)]
        return [*lines, "}"]

    def _print_Evaluate(self, node: Node) -> list[str]:
        call = node.value
        if type(call).__name__ == "Call" and "extern" in call.op.name:
            self._note_writes(call)
        return [f"{self._expressions.text(call)};"]

    def _note_writes(self, call: Node) -> None:
        """Remember the buffers that an intrinsic writes through its pointers."""
        function, *arguments = call.args
        intrinsic = self._intrinsics.get(str(function.value))
        for position in intrinsic.writes if intrinsic else ():
            self._stored.add(self._name_of(arguments[position].args[0].source))

    def _block(self, node: Node) -> list[str]:
        return [_INDENT + line for line in self._statement(node)]
