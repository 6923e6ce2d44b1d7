"""Every TVM call that is sensitive to TVM's version; written for TVM 0.27.

TVM renames its classes from release to release (``struct_info`` became ``ty``, ``tir`` became
``tirx``, constants became ``GenericConst``). Those names stay in here. What else the package takes
from TVM has kept its form: Relax's operators (``transform/``), dataflow patterns
(``strategy/patterns.py``), the TIR builder (``strategy/kernels/``) and the lowering passes
(``program/lower_tir.py``).
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tvm
import tvm_ffi
from numpy.typing import NDArray
from tvm import ir, relax

Expr = Any
"""A Relax expression; TVM has no type stubs, so that all its objects are `Any` here."""
Module = Any
"""An ``IRModule``."""

MAIN = "main"


def tensor_type(shape: Sequence[Any], dtype: str) -> Any:
    """Return Relax's type of a tensor; dimensions are integers or symbolic expressions."""
    return relax.TensorType(tuple(shape), dtype)


def shape_of(expr: Expr) -> tuple[Any, ...]:
    """Return the dimensions of a tensor: an ``int`` each, or a symbolic expression."""
    return tuple(int(d) if isinstance(d, tvm.tirx.IntImm) else d for d in expr.ty.shape)


def same_shape(a: Sequence[Any], b: Sequence[Any]) -> bool:
    """Return whether two shapes are the same, symbolic dimensions by structure."""
    return len(a) == len(b) and all(
        x == y if isinstance(x, int) and isinstance(y, int) else _same_dimension(x, y)
        for x, y in zip(a, b, strict=True)
    )


def _same_dimension(x: Any, y: Any) -> bool:
    return bool(tvm_ffi.structural_equal(x, y))


def dtype_of(expr: Expr) -> str:
    """Return the element type of a tensor, as NumPy names it."""
    return str(expr.ty.dtype)


def is_tensor(expr: Expr) -> bool:
    """Return whether the expression is a tensor."""
    return isinstance(expr.ty, relax.TensorType)


def has_shape(expr: Expr) -> bool:
    """Return whether the expression is a tensor whose every dimension is known or symbolic."""
    return is_tensor(expr) and isinstance(expr.ty.shape, relax.ShapeExpr)


def is_call(expr: Expr, name: str = "") -> bool:
    """Return whether `expr` calls a Relax operator (of this name, e.g. ``relax.matmul``)."""
    called = isinstance(expr, ir.Call) and isinstance(expr.op, ir.Op)
    return called and (not name or expr.op.name == name)


def packed_name(expr: Expr) -> str:
    """Return the function that a ``call_pure_packed`` calls, or the empty string."""
    if is_call(expr, "relax.call_pure_packed"):
        return str(expr.args[0].global_symbol)
    return ""


def is_constant(expr: Expr) -> bool:
    """Return whether `expr` is a tensor constant."""
    return isinstance(expr, ir.GenericConst)


def constant(value: NDArray[Any]) -> Expr:
    """Return a Relax constant that holds a copy of `value`."""
    return relax.const(np.array(value, order="C"))


def value_of(expr: Expr) -> NDArray[Any]:
    """Return the value of a constant."""
    value: NDArray[Any] = expr.value.numpy()
    return value


def bindings(func: Expr) -> list[Any]:
    """Return the bindings of a function, in order."""
    return [binding for block in func.body.blocks for binding in block.bindings]


def values_of(func: Expr) -> dict[Any, Any]:
    """Return what each variable of a function is bound to, in order."""
    return {binding.var: binding.value for binding in bindings(func)}


def resolved(variable: Expr, values: Mapping[Any, Any]) -> Expr:
    """Return the variable that another one merely renames, or itself."""
    while variable in values and values[variable] in values:
        variable = values[variable]
    return variable


def var_name(var: Expr) -> str:
    """Return a variable's name."""
    return str(var.name)


def result_of(func: Expr) -> Expr:
    """Return the expression that a function gives back."""
    return func.body.body


def upper_bounds(func: Expr) -> dict[str, int]:
    """Return the largest value of each symbolic dimension, by its name."""
    attributes = func.attrs
    if attributes is None or "tir_var_upper_bound" not in attributes:
        return {}
    return {str(k): int(v) for k, v in attributes["tir_var_upper_bound"].items()}


def with_bounds(mod: Module, bounds: dict[str, int]) -> Module:
    """Return the module with the largest value of each symbolic dimension noted on ``main``."""
    return ir.IRModule({MAIN: mod[MAIN].with_attr("tir_var_upper_bound", bounds)})


def rename_dimension(mod: Module, name: str) -> Module:
    """Rename the symbolic dimension of ``main``, when there is exactly one."""
    bounds = upper_bounds(mod[MAIN])
    if len(bounds) != 1:
        return mod
    (old, bound), *_ = bounds.items()
    func = mod[MAIN].bind_symbolic_vars({old: tvm.tirx.Var(name, "int64")})
    return with_bounds(ir.IRModule({MAIN: func}), {name: bound})


def import_exported(program: Any) -> Module:
    """Import a ``torch.export`` program with Relax's own front end, parameters as constants."""
    from tvm.relax.frontend.torch import from_exported_program

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return from_exported_program(program, unwrap_unit_return_tuple=True)


def fold_constants(mod: Module) -> Module:
    """Evaluate what depends on constants alone, and drop what nothing reads."""
    passes = [
        relax.transform.FoldConstant(),
        relax.transform.CanonicalizeBindings(),
        relax.transform.DeadCodeElimination(),
    ]
    with quiet():
        return ir.transform.Sequential(passes)(mod)


class quiet:  # noqa: N801 - reads as a statement: with quiet():
    """Silence TVM's warnings to standard error (C++ logging, hence by file descriptor)."""

    def __enter__(self) -> None:
        """Point file descriptor 2 at the null device."""
        sys.stderr.flush()
        self._saved = os.dup(2)
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 2)
        os.close(sink)

    def __exit__(self, *_exception: object) -> None:
        """Restore standard error."""
        os.dup2(self._saved, 2)
        os.close(self._saved)


def compile_on_host(mod: Module) -> Callable[..., Any]:
    """Compile a Relax module for this machine; the result takes and gives NumPy arrays."""
    with quiet():
        machine = relax.VirtualMachine(tvm.compile(mod, target="llvm"), tvm.cpu())

    def run(*arrays: NDArray[Any]) -> Any:
        result = machine[MAIN](*(tvm.runtime.tensor(a) for a in arrays))
        if hasattr(result, "numpy"):
            return result.numpy()
        return [item.numpy() for item in result]

    return run


def literal(value: int | str) -> Expr:
    """Return an integer or a string as an argument of a Relax call."""
    return ir.StringImm(value) if isinstance(value, str) else tvm.tirx.IntImm("int64", value)


def attribute(expr: Expr) -> int | str:
    """Return the value of an integer or string argument of a Relax call."""
    value = expr.value
    return str(value) if isinstance(value, str) else int(value)


def pads_with_zeros(pad: Expr) -> bool:
    """Return whether ``nn.pad`` pads with zeros."""
    return float(pad.attrs.pad_value) == 0.0 and str(pad.attrs.pad_mode) == "constant"


def swaps_axes(permute: Expr) -> bool:
    """Return whether ``permute_dims`` transposes a matrix; without axes it reverses them."""
    axes = permute.attrs.axes
    return axes is None or [int(a) for a in axes] == [1, 0]


def pads_in_front(pad: Expr, rows: int) -> bool:
    """Return whether ``nn.pad`` puts `rows` zeros before the last of two axes, and nothing else."""
    return pads_with_zeros(pad) and [int(w) for w in pad.attrs.pad_width] == [0, 0, rows, 0]


def parameter_shape(parameter: Any) -> tuple[Any, ...]:
    """Return the declared shape of a PrimFunc's parameter, empty for a scalar."""
    return tuple(getattr(parameter.ty, "shape", ()))


def variable_names(expr: Any) -> set[str]:
    """Return the names of the variables in a TIR expression, or in a number none."""
    if isinstance(expr, int):
        return set()
    return {str(v.name) for v in tvm.tirx.analysis.undefined_vars(expr, [])}


def integer(expr: Any) -> int | None:
    """Return the value of a TIR constant, or None for anything else."""
    return int(expr) if isinstance(expr, int | tvm.tirx.IntImm) else None


def stored_buffers(prim_func: Any) -> set[Any]:
    """Return the buffers that a PrimFunc writes by stores of its own."""
    stored: set[Any] = set()

    def visit(node: Any) -> None:
        if isinstance(node, tvm.tirx.BufferStore):
            stored.add(node.buffer)
        for name in ("body", "then_case", "else_case", "block"):
            part = getattr(node, name, None)
            if part is not None:
                visit(part)
        for part in getattr(node, "seq", ()):
            visit(part)

    visit(prim_func.body)
    return stored


def is_address(expr: Any) -> bool:
    """Return whether a TIR expression is the address of an element."""
    return type(expr).__name__ == "Call" and expr.op.name.endswith("address_of")


def greatest_value(expr: Any, greatest: Callable[[Any], int]) -> int:
    """Return an upper bound of a TIR index, whose variables lie from 0 to what `greatest` gives."""
    analyzer = tvm.sym.Analyzer()
    for variable in tvm.tirx.analysis.undefined_vars(expr, []):
        analyzer.update(variable, tvm.sym.ConstIntBound(0, greatest(variable)))
    return int(analyzer.const_int_bound(expr).max_value)


def same_function(a: Any, b: Any) -> bool:
    """Return whether two PrimFuncs are the same up to the names of their variables."""
    return bool(tvm_ffi.structural_equal(a, b, map_free_vars=True))


def kernels_module(prim_funcs: dict[str, Any]) -> Module:
    """Return an IRModule of PrimFuncs under these names."""
    named = {n: f.with_attr("global_symbol", n) for n, f in prim_funcs.items()}
    return ir.IRModule(named)


def to_json(mod: Module) -> str:
    """Return a module as TVM's JSON, constants included."""
    return str(ir.save_json(mod))


def from_json(text: str) -> Module:
    """Return the module that :func:`to_json` wrote."""
    return ir.load_json(text)


def save_parameters(parameters: dict[str, Any]) -> bytes:
    """Return parameters, arrays of TVM by name, in the form that ``load_param_dict`` reads."""
    return bytes(tvm.runtime.save_param_dict(parameters))
