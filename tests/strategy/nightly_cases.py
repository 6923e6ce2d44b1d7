"""Random cases in batches, each case with an address by which it is drawn again.

An address is ``seed/board/operator/turn/form/case``: with the same generators it is the same case
on every machine, with the same values of the kernel's knobs.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import count

import numpy as np
from kernel_bench import Case
from random_cases import GENERATORS, SIZES, case_of, drawn_from
from vector_cases import drawn

from tvm_embbert.errors import UsageError
from tvm_embbert.strategy.knobs import Config
from tvm_embbert.strategy.operator import Implementation
from tvm_embbert.target_file import list_targets

HOST = "host"
FAMILIES = (
    (1, 2, 3, 5, 16, 16, 17, 48, 48, 63, 64, 128, 128, 129),
    SIZES,
    (2, 4, 6, 8, 12, 14, 16, 20, 32, 34, 48, 64, 96, 100, 128),
    (16, 32, 48, 64, 96, 112, 128),
)
"""Sizes of all kinds, those that fill no vectors, those that fill words, those that fill vectors;
turn by turn."""
FORMS = {
    "linear": (16, 8),
    "causal_convolution": (16, 8),
    "attention": (16, 8),
    "rms_norm": (8, 16),
    "lookup": (8, 16),
    "gather": (4, 8),
    "running_sum": (2, 8),
    "elementwise": (8, 4),
}
"""Operator: forms in a batch, and cases of each form."""


@dataclass(frozen=True)
class Batch:
    """Cases of one operator on one board; `turn` says how often the boards were gone through."""

    seed: int
    board: str
    operator: str
    turn: int

    @property
    def size(self) -> int:
        forms, cases = FORMS[self.operator]
        return forms * cases

    def forms(self) -> Iterator[list[Case]]:
        """Yield the cases of each form."""
        forms, cases = FORMS[self.operator]
        for form in range(forms):
            yield [self.case(form, index) for index in range(cases)]

    def case(self, form: int, index: int) -> Case:
        """Draw a case; every other has constants as the quantiser makes them."""
        seed = [self.seed, zlib.crc32(f"{self.board}/{self.operator}".encode()), self.turn, form]
        with drawn_from(FAMILIES[self.turn % len(FAMILIES)]):
            call, draw = GENERATORS[self.operator][0](np.random.default_rng(seed))
            case = case_of(call, draw, seed, index)
        return replace(_as_quantised(case) if index % 2 else case, label=f"{self}/{form}/{index}")

    def __str__(self) -> str:
        return f"{self.seed}/{self.board}/{self.operator}/{self.turn}"


def knobs_of(case: Case, implementation: Implementation) -> Config:
    """Return values of a kernel's knobs: drawn for every other case, the defaults for the rest.

    Cases of a form have the same ones, so that they share a kernel.
    """
    form, _, index = case.label.rpartition("/")
    # Of the forms' cases as the quantiser makes them, half have drawn values, too.
    if (int(form.rpartition("/")[2]) + int(index) // 2) % 2:
        return {}
    return drawn(np.random.default_rng(zlib.crc32(form.encode())), implementation, case.call)


def case_at(address: str) -> tuple[Batch, Case]:
    """Return the case at an address, and its batch.

    Raises
    ------
    UsageError
        There is no such case.
    """
    try:
        seed, board, operator, *numbers = address.split("/")
        turn, form, index = map(int, numbers)
        batch = Batch(int(seed), board, operator, turn)
        forms, cases = FORMS[operator]
        known = board in boards() and min(int(seed), turn) >= 0
        if not (known and form in range(forms) and index in range(cases)):
            raise ValueError
    except (ValueError, KeyError):
        raise UsageError(
            f"{address!r} is the address of no case.",
            where="SEED/BOARD/OPERATOR/TURN/FORM/CASE",
            supported=f"boards {', '.join(boards())}; operators {', '.join(FORMS)}",
            hint="Copy the address that a nightly run printed.",
        ) from None
    return batch, batch.case(form, index)


@cache
def boards() -> list[str]:
    """Return one emulated board for each core, and the host."""
    emulators = {t: t.core.emulator for t in list_targets()}
    named = [t for t, e in emulators.items() if e and t.name.startswith(e.machine)]
    return [*sorted({t.core.name: t.name for t in named}.values()), HOST]


def plan(seed: int, cases: int) -> list[Batch]:
    """Return batches that have at least so many cases on emulated boards, those of the host beside.

    Every board and operator has its turn before any has another.
    """
    planned: list[Batch] = []
    turns = (Batch(seed, b, o, turn) for turn in count() for o in FORMS for b in boards())
    while emulated_cases(planned) < cases:
        planned.append(next(turns))
    return planned


def emulated_cases(batches: Sequence[Batch]) -> int:
    """Return how many cases batches have on emulated boards."""
    return sum(batch.size for batch in batches if batch.board != HOST)


def _as_quantised(case: Case) -> Case:
    """Return a case with weights of at least -127, and a table that ends with 0 for attention."""
    made = {id(a): _constant(a, case.call.operator) for a in case.call.args}
    call = replace(case.call, args=tuple(made[id(a)] for a in case.call.args))
    return replace(case, call=call, args=tuple(made.get(id(a), a) for a in case.args))


def _constant(value: object, operator: str) -> object:
    if not isinstance(value, np.ndarray) or value.dtype != np.int8:
        return value
    if operator == "attention" and value.shape == (256,):
        return np.append(value[:-1], np.int8(0))
    return np.maximum(value, -127) if operator in ("linear", "causal_convolution") else value
