"""Products that machine instructions make: multiplications whose result is kept whole or summed.

Multiplications that keep the high half alone (SMMUL, VMULH, `mulh`) and those to 64 bits that do
not add (SMULL) requantise: they are not counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from control_flow import ControlFlow, Line

VECTOR_BITS = 128
"""Bits of a vector register: of MVE always, of RVV on the board that is emulated."""

SHARED = {
    "armv7-m": {"smlal": 2.0},
    "armv7-m triple": {"mla": 1.5},
    "rv32im": {"mul": 2.0},
    "rv32im triple": {"mul": 1.5},
}
"""Instruction set, and ``triple`` where three rows share two words: what multiplies rows in a word
by a weight, in its kernels alone, and how many products that makes."""

NONE: Mapping[str, float] = {}
_THUMB_ONE = re.compile(r"(?:mla|mls|muls?|smlal|umlal|smulw?[bt]{1,2}|smla[lw]?[bt]{1,2})")
_THUMB_TWO = re.compile(r"(?:smlad|smlsd|smuad|smusd|smlald|smlsld)x?")
_CONDITION = r"(?:eq|ne|cs|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)?"
_MVE = re.compile(
    r"v(?:ml[as]l?(?:da)?va?x?|rml[as]l(?:da)?vha?x?|mul|mlas?)(?P<when>[te]?)\.[usi](?P<bits>\d+)"
)
_MVE_LONG = re.compile(r"vmull[bt](?P<when>[te]?)\.[us](?P<bits>\d+)")
_RVV = re.compile(r"v(?:w?mul(?:u|su)?|w?macc(?:u|su|us)?|n?msac|n?msub|madd)\.v[vx]")
_SCALAR_RISCV = ("mul", "mulw")
_VTYPE = re.compile(r"(\w+),(\w+),e(\d+),m(f?)(\d+)")


@dataclass(frozen=True)
class Products:
    """How many products; `exact` unless fewer lanes may be active; None where nobody knows."""

    number: float | None
    exact: bool = True


def products_of(flow: ControlFlow, shared: Mapping[str, float] = NONE) -> list[Products]:
    """Return the products of each instruction of a function; `shared` ones make so many."""
    configured = _configurations(flow)
    made = [_of_arm(line) or Products(0) for line in flow.lines]
    for place, line in enumerate(flow.lines):
        if line.name in _SCALAR_RISCV and made[place].number == 0:
            made[place] = Products(1)
        if _RVV.fullmatch(line.name):
            made[place] = _lanes(configured[place])
        if line.name in shared:
            made[place] = Products(shared[line.name])
    return made


def _of_arm(line: Line) -> Products | None:
    name = line.name
    if found := _MVE_LONG.fullmatch(name):
        return Products(VECTOR_BITS // int(found["bits"]) // 2, not found["when"])
    if found := _MVE.fullmatch(name):
        return Products(VECTOR_BITS // int(found["bits"]), not found["when"])
    for pattern, number in ((_THUMB_TWO, 2), (_THUMB_ONE, 1)):
        if found := re.fullmatch(f"{pattern.pattern}(?P<when>{_CONDITION})", name):
            return Products(number, not found["when"])
    return None


def _lanes(configurations: frozenset[str]) -> Products:
    """Return how many elements an instruction takes that runs under these vector types."""
    if len(configurations) != 1 or not (found := _VTYPE.search(*configurations)):
        return Products(None)
    result, length, width, fraction, group = found.groups()
    bits = VECTOR_BITS // int(group) if fraction else VECTOR_BITS * int(group)
    lanes = bits // int(width)
    if length.isdigit():
        return Products(min(lanes, int(length)))
    return Products(lanes, exact=length == "zero" and result != "zero")


def _configurations(flow: ControlFlow) -> list[frozenset[str]]:
    """Return which vector types may hold before each instruction; "" is an unknown one."""
    before: list[frozenset[str]] = [frozenset() for _ in flow.lines]
    before[0], waiting = frozenset({""}), [0]
    while waiting:
        place = waiting.pop()
        after = _after(flow.lines[place], before[place])
        for following in flow.following[place]:
            if not after <= before[following]:
                before[following] |= after
                waiting.append(following)
    return before


def _after(line: Line, before: frozenset[str]) -> frozenset[str]:
    if line.instruction.is_call:
        return frozenset({""})
    return frozenset({str(line.instruction)}) if line.name.startswith("vset") else before
