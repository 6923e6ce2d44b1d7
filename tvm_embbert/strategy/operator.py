"""What an operator strategy is: a match on the graph, an integer meaning, and implementations.

An :class:`Operator` recognises a piece of the float graph, replaces it by a call of integer
arithmetic and defines that arithmetic in NumPy. An :class:`Implementation` computes the same bytes
on a device, for one instruction set. Both live in one file each and register themselves; see
``docs/adding-an-operator.md``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tvm_embbert import compat
from tvm_embbert.errors import InputError
from tvm_embbert.strategy.knobs import OPTIMIZE, Config, Knob, complete

if TYPE_CHECKING:
    from tvm_embbert.quantize.quantizer import Quantizer
    from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
    from tvm_embbert.transform.rewriter import Emitter

Array = NDArray[Any]
ITEM_SIZES = {"bool": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8}
"""Bytes of an element, by type."""
Dim = int | str
"""A number of elements: fixed, or the name of a symbolic dimension (``"n"``)."""


@dataclass(frozen=True)
class Tensor:
    """Memory in use at run time: a tensor, rows first in its shape, or a kernel's scratch.

    `multiple` is what the first dimension of scratch is rounded up to.
    """

    name: str
    shape: tuple[Dim, ...]
    dtype: str
    multiple: int = 1

    def size(self, length: int) -> int:
        """Return the bytes that it takes for inputs of up to `length` tokens."""
        counts = [length if isinstance(d, str) else d for d in self.shape]
        counts[:1] = [-(-d // self.multiple) * self.multiple for d in counts[:1]]
        return ITEM_SIZES[self.dtype] * prod(counts)


@dataclass(frozen=True, eq=False)
class IntegerCall:
    """One call of integer arithmetic.

    Attributes
    ----------
    operator : str
        Name of the :class:`Operator`.
    name : str
        Unique in the module, e.g. ``linear_3``.
    args : tuple
        :class:`Tensor` for run-time inputs, arrays for constants, ``int`` and ``str`` attributes.
    output : Tensor
        The result.
    """

    operator: str
    name: str
    args: tuple[Any, ...]
    output: Tensor

    @property
    def tensors(self) -> list[Tensor]:
        """Return the run-time inputs, in order."""
        return [a for a in self.args if isinstance(a, Tensor)]

    @property
    def constants(self) -> list[Array]:
        """Return the constant inputs, in order."""
        return [a for a in self.args if isinstance(a, np.ndarray)]

    @property
    def rows(self) -> Dim:
        """Return the number of rows that are computed."""
        return self.output.shape[0] if self.output.shape else 1


Pattern = tuple[Any, dict[str, Any]]
"""A TVM dataflow pattern, and the parts of it by name."""


@dataclass(frozen=True, eq=False)
class Match:
    """A piece of the float graph that an operator takes: its result, and its parts by name."""

    operator: Operator
    output: compat.Expr
    parts: Mapping[str, compat.Expr]
    values: Mapping[compat.Expr, compat.Expr] = field(default_factory=dict)
    """What each variable of the graph is bound to."""

    def producer(self, part: str) -> compat.Expr:
        """Return the expression that makes a part, or the part itself."""
        return self.values.get(self.parts[part], self.parts[part])

    def constant(self, part: str, finite: bool = True) -> Array:
        """Return the value of a constant part; raise :class:`InputError` if it is not finite."""
        value = compat.value_of(self.parts[part])
        if finite and not np.isfinite(value).all():
            raise InputError(
                "A weight holds values that are not finite real numbers.",
                where=f"{self.operator.name}, {part} of {compat.var_name(self.output)}",
                hint="Check the checkpoint.",
            )
        return value


class Operator(ABC):
    """Recognises, quantises and defines one operator."""

    name: ClassVar[str]
    priority: ClassVar[int] = 10
    """Operators of higher priority are tried first: larger patterns before smaller ones."""
    wide_inputs: ClassVar[tuple[str, ...]] = ()
    """Parts that are wanted in 16 bits because 8 would lose accuracy."""
    wide_at_the_end: ClassVar[tuple[str, ...]] = ()
    """Parts that are wanted in 16 bits where the operator makes the model's result."""
    takes_zero_points: ClassVar[bool] = False
    """Whether the inputs may have zero points other than 0."""
    takes: ClassVar[str] = ""
    """What the operator takes, for the error about a form that is only :meth:`resembling`."""
    causal_rows: ClassVar[bool] = False
    """Whether row i of the result depends on rows 0 to i of the inputs alone."""
    row_local: ClassVar[bool] = False
    """Whether some rows of the result can be computed before the others: the kernels' tensors over
    ``rows`` are then touched at these rows alone, those over ``before + rows`` also in front."""

    @abstractmethod
    def patterns(self) -> list[Pattern]:
        """Return the forms that the operator takes, the largest first."""

    def resembling(self) -> list[Any]:
        """Return patterns of what only this operator could take, in whatever form.

        If it does not, the error names it and says what it :attr:`takes`; the last call of a piece
        of several says little.
        """
        return []

    def accepts(self, match: Match) -> bool:
        """Return whether shapes and attributes are as the operator needs them."""
        return True

    def observe(self, match: Match, emitter: Emitter) -> compat.Expr:
        """Return the float call whose values calibrate the result; as it is in the graph here."""
        return emitter.rebuild(match.values[match.output])

    @abstractmethod
    def inputs(self, match: Match) -> list[compat.Expr]:
        """Return the variables that the matched piece reads."""

    @abstractmethod
    def quantize(self, match: Match, quantizer: Quantizer) -> None:
        """Emit the integer call for a match, and record the result's scale."""

    @abstractmethod
    def reference(self, call: IntegerCall, args: Sequence[Any], rows: int) -> Array:
        """Compute the call in NumPy.

        Parameters
        ----------
        call : IntegerCall
            The call, for its types.
        args : sequence
            Its arguments, with the values of run-time inputs in the place of tensors.
        rows : int
            Rows of the result.
        """


@dataclass(frozen=True, eq=False)
class Kernel:
    """What an implementation makes of a call.

    Attributes
    ----------
    prim_func : PrimFunc
        TIR. Its parameters are the run-time inputs, the constants, the scalars, the output and the
        scratch, in this order; its symbolic shape variables are bound by name through `dims`.
        ``rows`` is the number of rows computed. A tensor over ``before + rows`` rows begins that
        many rows in front of the first one computed; ``before`` is at most `window`, and less at
        the start of the input. The name is bound where the kernel is called, not in `dims`.
    constants : tuple of arrays
        The constants in the layout that the kernel reads.
    scalars : tuple of int
        Values of scalar parameters.
    scratch : tuple of Tensor
        Memory that the kernel needs while it runs: planned in the arena, not on the stack.
    dims : mapping
        Name of each symbolic variable of `prim_func` to its value.
    in_place : str
        Name of the input whose memory the output may take, or the empty string. Where rows of the
        output are longer, both end at the same byte.
    window : int
        Rows in front of the first that is computed which the kernel reads, at most.
    row_block : int
        Rows that the kernel computes together: it takes as long for fewer. Tiles are preferably of
        a multiple.
    intrinsics : tuple of Intrinsic
        What the TIR calls beside the functions of ``tvm_embbert_arithmetic.h``.
    optimize : str
        Optimisation level of the C compiler: ``Os``, ``O2`` or ``O3``.
    """

    prim_func: Any
    constants: tuple[Array, ...]
    scalars: tuple[int, ...] = ()
    scratch: tuple[Tensor, ...] = ()
    dims: Mapping[str, Dim] = field(default_factory=dict)
    in_place: str = ""
    window: int = 0
    row_block: int = 1
    intrinsics: tuple[Intrinsic, ...] = ()
    optimize: str = str(OPTIMIZE.default)


class Implementation(ABC):
    """Computes an operator on devices of one instruction set."""

    operator: ClassVar[str]
    isa: ClassVar[str]
    priority: ClassVar[int] = 0
    """Among those that a target can run, the highest wins."""
    masters: ClassVar[tuple[str, ...]] = ("cpu",)
    """Bus masters that touch the buffers: of ``cpu``, ``dma`` and ``npu``."""

    @property
    def name(self) -> str:
        """Return the name that ``--explain`` shows and overrides use."""
        return f"{self.operator}.{self.isa}"

    def reject(self, call: IntegerCall) -> str:
        """Return why the call cannot be taken, or the empty string."""
        return ""

    def knobs(self, call: IntegerCall) -> tuple[Knob, ...]:
        """Return what the kernel for a call leaves open for tuning, beside :data:`OPTIMIZE`."""
        return ()

    def space(self, call: IntegerCall) -> tuple[Knob, ...]:
        """Return all knobs of the kernel for a call."""
        return (*self.knobs(call), OPTIMIZE)

    def build(self, call: IntegerCall, chosen: Config | None = None) -> Kernel:
        """Return the kernel for a call, with the defaults of all knobs that are not in `chosen`.

        Raises
        ------
        UsageError
            `chosen` has a knob or a value that the kernel does not have.
        """
        config = complete(self.space(call), chosen or {}, f"{self.name} for {call.name}")
        return replace(self.kernel(call, config), optimize=str(config[OPTIMIZE.name]))

    @abstractmethod
    def kernel(self, call: IntegerCall, config: Config) -> Kernel:
        """Return the kernel for a call; `config` has a value of each knob."""
