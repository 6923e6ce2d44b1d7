"""The fourteen registers that a block of inline assembly may fill, and loads of several at once.

LDM wants ascending registers, so they are named here and not left to the compiler.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

POOL = (*(f"r{n}" for n in range(13)), "lr")
"""All but the stack pointer and the program counter."""


class Registers:
    """Hands out registers, ascending; :attr:`variables` has that of each variable."""

    def __init__(self) -> None:
        self.variables: dict[str, str] = {}

    @property
    def free(self) -> int:
        """Return how many registers are left."""
        return len(POOL) - len(self.variables)

    def take(self, *names: str) -> tuple[str, ...]:
        """Return a register for each variable; raise :class:`ValueError` if too few are left."""
        if len(names) > self.free:
            raise ValueError(f"{', '.join(names)}: {self.free} registers are left")
        taken = POOL[len(self.variables) :][: len(names)]
        self.variables.update(zip(names, taken, strict=True))
        return taken


def numbered(name: str, count: int) -> list[str]:
    """Return the names of `count` variables: ``s0`` and on."""
    return [f"{name}{n}" for n in range(count)]


def load(pointer: str, registers: Sequence[str]) -> str:
    """Return the instruction that loads words from a pointer, which is moved behind them."""
    if len(registers) == 1:
        return f"ldr {registers[0]}, [{pointer}], #4"
    return f"ldm {pointer}!, {{{', '.join(registers)}}}"


def text(lines: Iterable[str]) -> str:
    """Return instructions as the strings of an ``__asm__`` statement, a line each."""
    return "\n".join(f'        "{line}\\n\\t"' for line in lines)


def declarations(variables: Mapping[str, str], values: Mapping[str, str]) -> str:
    """Return C that declares int32_t variables, each in its register, with values if not empty."""
    return "\n".join(
        f'    register int32_t {name} __asm__("{variables[name]}"){value and f" = {value}"};'
        for name, value in values.items()
    )


def operands(changed: Iterable[str]) -> str:
    """Return the operands of variables that the assembly reads and writes."""
    return ", ".join(f'"+r"({name})' for name in changed)


def clobbers(variables: Mapping[str, str], changed: Iterable[str]) -> str:
    """Return the clobbers: registers that are no operands, flags and memory."""
    kept = set(changed)
    lost = [f'"{register}"' for name, register in variables.items() if name not in kept]
    return ", ".join([*lost, '"cc"', '"memory"'])
