"""TIR expressions as C, with no more parentheses than C needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tvm_embbert.errors import UnsupportedOperatorError

Node = Any
Names = Callable[[Node], str]
C_TYPES = {
    "bool": "uint8_t",
    "int8": "int8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "int64": "int64_t",
    "uint32": "uint32_t",
}
_BITS = {"bool": 8, "int8": 8, "int16": 16, "int32": 32, "uint32": 32, "int64": 64}
_BINARY = {
    "Mul": ("*", 12),
    "Div": ("/", 12),
    "FloorDiv": ("/", 12),  # operands are indices, never negative
    "Mod": ("%", 12),
    "FloorMod": ("%", 12),
    "Add": ("+", 11),
    "Sub": ("-", 11),
    "LT": ("<", 9),
    "LE": ("<=", 9),
    "GT": (">", 9),
    "GE": (">=", 9),
    "EQ": ("==", 8),
    "NE": ("!=", 8),
    "And": ("&&", 4),
    "Or": ("||", 3),
}
_UNARY, _POSTFIX, _TERNARY = 14, 15, 2


def dtype_of(node: Node) -> str:
    """Return the element type of an expression."""
    return str(node.ty.dtype)


class ExpressionPrinter:
    """Prints expressions; `names` gives the C name of a variable or buffer."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def text(self, node: Node, outer: int = 0) -> str:
        """Return the C text, in parentheses if it binds less tightly than `outer`."""
        text, strength = self._print(node)
        return f"({text})" if strength < outer else text

    def _print(self, node: Node) -> tuple[str, int]:
        kind = type(node).__name__
        if kind in _BINARY:
            symbol, strength = _BINARY[kind]
            left, right = self.text(node.a, strength), self.text(node.b, strength + 1)
            return f"{left} {symbol} {right}", strength
        printer: Callable[[Node], tuple[str, int]] | None = getattr(self, f"_print_{kind}", None)
        if printer is None:
            raise UnsupportedOperatorError(
                f"TIR's {kind} cannot be printed as C.",
                where=str(node),
                supported="integer arithmetic, comparisons, loads, selections and extern calls",
            )
        return printer(node)

    def _print_IntImm(self, node: Node) -> tuple[str, int]:
        value = int(node.value)
        if value == -(2**31):
            return "INT32_MIN", _POSTFIX
        return str(value), _POSTFIX if value >= 0 else _UNARY

    def _print_Var(self, node: Node) -> tuple[str, int]:
        return self._names(node), _POSTFIX

    def _print_TensorLoad(self, node: Node) -> tuple[str, int]:
        return self.element(node.source, list(node.indices)), _POSTFIX

    def _print_Cast(self, node: Node) -> tuple[str, int]:
        source, target = dtype_of(node.value), dtype_of(node)
        if target == "int32" and _BITS[source] < _BITS[target]:
            return self._print(node.value)  # C promotes it
        return f"({C_TYPES[target]}){self.text(node.value, _UNARY)}", _UNARY

    def _print_Min(self, node: Node) -> tuple[str, int]:
        return f"te_min({self.text(node.a)}, {self.text(node.b)})", _POSTFIX

    def _print_Max(self, node: Node) -> tuple[str, int]:
        return f"te_max({self.text(node.a)}, {self.text(node.b)})", _POSTFIX

    def _print_Not(self, node: Node) -> tuple[str, int]:
        return f"!{self.text(node.a, _UNARY)}", _UNARY

    def _print_Select(self, node: Node) -> tuple[str, int]:
        return self._ternary(node.condition, node.true_value, node.false_value)

    def _print_Call(self, node: Node) -> tuple[str, int]:
        name = node.op.name.rpartition(".")[2]
        if name == "if_then_else":
            return self._ternary(*node.args)
        if name == "address_of":
            return self._address(node.args[0])
        if name in ("call_extern", "call_pure_extern"):
            function, *args = node.args
            return f"{function.value}({', '.join(map(self.text, args))})", _POSTFIX
        raise UnsupportedOperatorError(
            f"TIR's {node.op.name} cannot be printed as C.",
            where=str(node),
            supported="if_then_else, address_of and call_extern",
        )

    def _address(self, load: Node) -> tuple[str, int]:
        """Return a pointer to an element; of a tile of locals, to its first."""
        index, name = self.text(next(iter(load.indices)), 12), self._names(load.source)
        if is_scalar(load.source):
            return f"&{name}", _UNARY
        return (name, _POSTFIX) if index == "0" else (f"{name} + {index}", 11)

    def _ternary(self, condition: Node, yes: Node, no: Node) -> tuple[str, int]:
        parts = (self.text(condition, _TERNARY + 1), self.text(yes), self.text(no, _TERNARY))
        return f"{parts[0]} ? {parts[1]} : {parts[2]}", _TERNARY

    def element(self, buffer: Node, indices: list[Node]) -> str:
        """Return an element of a flat buffer; a buffer of one is a plain variable."""
        if is_scalar(buffer):
            return self._names(buffer)
        return f"{self._names(buffer)}[{self.text(indices[0])}]"


def is_scalar(buffer: Node) -> bool:
    """Return whether a buffer is a local of one element."""
    shape = [str(d) for d in buffer.ty.shape]
    return str(buffer.ty.storage_scope) == "local" and shape == ["1"]
