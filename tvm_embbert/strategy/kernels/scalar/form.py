"""What a block of rows and outputs looks like, and which blocks the cores can hold in registers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tvm_embbert.strategy.knobs import Config, Knob

ARM, RISCV = "armv7-m", "rv32im"
LONG, SPLIT, RISCV_SPLIT, BURST = "long", "split", "riscv", "burst"
ROWS = (2, 4, 6, 8)
DEFAULT_ROWS = 4
OUTPUTS = (1, 2, 3, 4, 5, 6)
UNROLL = (2, 4, 8, 16, 32)
HELD = {ARM: 4, RISCV: 8}
"""Words of two rows times outputs, whose sums stay in registers."""
BITS = {LONG: 23, SPLIT: 16, RISCV_SPLIT: 16, BURST: 23}
"""Where the second row of a word begins: 8 + 23 bits make a word, 23 hold a long sum of a row."""
LONG_REACH = 2**22 - 1
"""The largest magnitude of the lower row's long sum."""
LONG_STEPS = 255
"""Products of any two int8 whose long sum surely stays within."""
LONG_WEIGHTS = LONG_REACH // (127 * 128)
"""Products of an attention weight, 0 to 127, and an int8 whose long sum surely stays within."""
BURST_ROWS = 6
"""Rows that leave bursts registers for a pointer to the bytes."""
FURTHEST = {ARM: 4095, RISCV: 2047}
"""Bytes that a load may lie behind its pointer."""
DEFAULT_UNROLL = {ARM: 32, RISCV: 8}
"""A good turn of the loop: the code of a step is longer where products are split."""


@dataclass(frozen=True)
class Block:
    """Rows and outputs that are computed together.

    Attributes
    ----------
    rows : int
        Even: two share a word.
    outputs : int
        Outputs, keys or channels.
    unroll : int
        Steps of the sum that a turn of the loop takes: a power of two.
    multiply : str
        ``long``, ``split``, ``burst``, or ``riscv``: split in assembly. A turn of ``burst`` loads
        words so many times, each time of as many steps as the registers hold.
    """

    rows: int
    outputs: int
    unroll: int
    multiply: str

    @property
    def pairs(self) -> int:
        """Return the words of a step."""
        return self.rows // 2

    @property
    def bits(self) -> int:
        """Return where the second row of a word begins."""
        return BITS[self.multiply]

    @property
    def name(self) -> str:
        """Return what tells its C functions from those of other blocks."""
        return f"{self.multiply}_{self.rows}x{self.outputs}_{self.unroll}"


def block_knobs(isa: str, outputs: int, prefix: str = "") -> tuple[Knob, ...]:
    """Return the knobs ``outputs`` and ``unroll``, under names with a prefix.

    More outputs than fit the registers beside the rows are as many as do fit.
    """
    held = HELD[isa] // (DEFAULT_ROWS // 2)
    best = max(n for n in OUTPUTS if n <= min(held, outputs))
    return (
        Knob(f"{prefix}outputs", OUTPUTS, best),
        Knob(f"{prefix}unroll", UNROLL, DEFAULT_UNROLL[isa]),
    )


def lone_row(rows: object) -> str:
    """Return why a kernel of so many rows is better computed otherwise, or the empty string."""
    return "a single row has none to share its loads with" if rows == 1 else ""


def row_knobs(isa: str) -> tuple[Knob, ...]:
    """Return the knobs ``rows`` and, where there is a choice, ``multiply``."""
    ways = (Knob("multiply", (LONG, SPLIT, BURST), LONG),) if isa == ARM else ()
    return (Knob("rows", ROWS, DEFAULT_ROWS), *ways)


def block_of(isa: str, config: Config, long_fits: bool, stride: int = 1, prefix: str = "") -> Block:
    """Return the block of some values of knobs.

    Parameters
    ----------
    isa : str
        Decides how many sums fit the registers.
    config : mapping
        Values of the knobs.
    long_fits : bool
        Whether the sums fit long sums; they are split otherwise.
    stride : int
        Bytes from a step of the sum to the next, which bound how many a turn can reach.
    prefix : str
        Of the names of the knobs.
    """
    rows = int(config["rows"])
    multiply = RISCV_SPLIT if isa == RISCV else str(config["multiply"]) if long_fits else SPLIT
    if multiply == BURST:
        return Block(min(rows, BURST_ROWS), 1, int(config[f"{prefix}unroll"]), BURST)
    return Block(
        rows,
        max(1, min(int(config[f"{prefix}outputs"]), HELD[isa] // (rows // 2))),
        _unroll(int(config[f"{prefix}unroll"]), FURTHEST[isa] // stride),
        multiply,
    )


def _unroll(wanted: int, most: int) -> int:
    return max(n for n in UNROLL if n == UNROLL[0] or n <= min(wanted, most))


def filled(template: str, fields: Mapping[str, object]) -> str:
    """Return C with each ``@FIELD@`` replaced."""
    for name, value in fields.items():
        template = template.replace(f"@{name}@", str(value))
    return template
