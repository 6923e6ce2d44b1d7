"""What a kernel leaves open for tuning: named choices, and the values chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tvm_embbert.errors import UsageError

Value = int | str
Config = Mapping[str, Value]
"""A value of each knob, by name."""


@dataclass(frozen=True)
class Knob:
    """A choice that a kernel leaves open.

    Attributes
    ----------
    name : str
        Within the kernel: ``rows``, ``unroll``.
    values : tuple of int or str
        What may be chosen, in an order in which neighbours behave alike.
    default : int or str
        What is taken where nothing was tuned: one of the values.
    """

    name: str
    values: tuple[Value, ...]
    default: Value

    def __post_init__(self) -> None:
        if self.default not in self.values:
            raise ValueError(f"{self.default!r} is none of {self.values}: the default of {self}")


OPTIMIZE = Knob("optimize", ("Os", "O2", "O3"), "O2")
"""The compiler's optimisation level: every kernel has this knob."""


def complete(knobs: Sequence[Knob], chosen: Config, where: str) -> dict[str, Value]:
    """Return a value of each knob: the chosen one, or the default.

    Raises
    ------
    UsageError
        A name or value that the knobs do not have.
    """
    known = {k.name: k for k in knobs}
    for name, value in chosen.items():
        if name not in known:
            listed = ", ".join(known) or "none"
            raise UsageError(f"There is no knob {name!r}.", where=where, supported=listed)
        if value not in known[name].values:
            listed = ", ".join(map(str, known[name].values))
            raise UsageError(
                f"The knob {name!r} does not take {value!r}.", where=where, supported=listed
            )
    return {name: chosen.get(name, knob.default) for name, knob in known.items()}
