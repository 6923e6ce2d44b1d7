"""Arithmetic on token ids and masks, element by element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tvm.script import tirx as T

from tvm_embbert.strategy.kernels.arithmetic import widened
from tvm_embbert.strategy.kernels.tir import Expr, prim_func
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.strategy.operator import Implementation, IntegerCall, Kernel, Tensor
from tvm_embbert.strategy.registry import register_implementation

FUNCTIONS: dict[str, Callable[..., Expr]] = {
    "equal": T.EQ,
    "not_equal": T.NE,
    "greater": T.GT,
    "greater_equal": T.GE,
    "less": T.LT,
    "less_equal": T.LE,
    "logical_and": T.And,
    "logical_or": T.Or,
    "where": T.if_then_else,
    "add": T.Add,
    "subtract": T.Sub,
    "multiply": T.Mul,
}


@register_implementation
class PortableElementwise(Implementation):
    """One kernel for all calls of the same function and types; constants are passed to it."""

    operator = "elementwise"
    isa = "portable"

    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Build the kernel."""
        scalars = tuple(a for a in call.args[1:] if isinstance(a, int))
        return Kernel(elementwise(call), (), scalars=scalars, dims={"rows": call.rows})


def elementwise(call: IntegerCall) -> Any:
    """Return the PrimFunc of a call."""
    function, *operands = call.args
    with prim_func(function) as tir:
        rows = tir.dim("rows")
        names = [f"{'x' if isinstance(o, Tensor) else 'c'}{n}" for n, o in enumerate(operands)]
        tensors = {
            n: tir.tensor(n, (rows,), o.dtype)
            for n, o in zip(names, operands, strict=True)
            if isinstance(o, Tensor)
        }
        scalars = {n: tir.scalar(n) for n in names if n not in tensors}
        result = tir.tensor("result", (rows,), call.output.dtype)
        with tir.loop("i", rows) as i:
            values = [tensors[n][i] if n in tensors else scalars[n] for n in names]
            tir.store(result, i, _apply(function, values, call.output.dtype))
    return tir.prim_func


def _apply(function: str, values: list[Expr], dtype: str) -> Expr:
    """Return the function of values that may be masks or numbers."""
    if function.startswith("logical"):
        return FUNCTIONS[function](*map(_truth, values))
    if function == "where":
        chosen = T.if_then_else(_truth(values[0]), _number(values[1]), _number(values[2]))
        return chosen if dtype == "int32" else _truth(chosen)
    return FUNCTIONS[function](*map(_number, values))


def _is_mask(value: Expr) -> bool:
    return str(value.ty.dtype) == "bool"


def _truth(value: Expr) -> Expr:
    return value if _is_mask(value) else T.NE(value, T.int32(0))


def _number(value: Expr) -> Expr:
    return widened(value) if _is_mask(value) else value
