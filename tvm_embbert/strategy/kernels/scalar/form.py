"""What a block of rows and outputs looks like, and which blocks the cores can hold in registers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tvm_embbert.strategy.knobs import Config, Knob

ARM, RISCV = "armv7-m", "rv32im"
LONG, SPLIT, BURST, TRIPLE = "long", "split", "burst", "triple"
RISCV_SPLIT, RISCV_TRIPLE = "riscv", "riscv_triple"
ROWS = (2, 4, 6, 8)
TRIPLE_ROWS = (2, 3, 4, 6, 8)
"""Of which three may share two words."""
DEFAULT_ROWS = 4
OUTPUTS = {ARM: (1, 2, 3, 4, 5, 6), RISCV: (1, 2, 3, 4, 5, 6, 8)}
UNROLL = (2, 4, 8, 16, 32)
HELD = {ARM: 4, RISCV: 8}
"""Words of two rows times outputs, whose sums stay in registers: two registers each."""
BITS = {LONG: 23, BURST: 23, SPLIT: 16, RISCV_SPLIT: 16, TRIPLE: 21, RISCV_TRIPLE: 21}
"""Where the second row of a word begins: 8 + 23 bits make a word, 23 hold a long sum of a row."""
TRIPLE_BITS = 10
"""Where the second row begins in the second word of three rows."""
TRIPLE_REACH = 2**20 - 1
"""The largest magnitude of a row's sum of which two words tell three apart."""
TRIPLE_STEPS = 64
"""Products of any two int8 whose sum stays within: -64 * 16256 to 64 * 16384, kept less one."""
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
class Word:
    """A word of two rows: ``low + high * 2**bits``."""

    low: int
    high: int
    bits: int


@dataclass(frozen=True)
class Block:
    """Rows and outputs that are computed together.

    Attributes
    ----------
    rows : int
        Even where two share a word, a multiple of 3 where three share two.
    outputs : int
        Outputs, keys or channels.
    unroll : int
        Steps of the sum that a turn of the loop takes: a power of two.
    multiply : str
        ``long``, ``split``, ``burst``, ``triple``; ``riscv`` and ``riscv_triple``: split and triple
        in assembly. A turn of ``burst`` loads words so many times, each time of as many steps as
        the registers hold.
    reach : int
        Steps after which triple sums are told apart and added up; 0 for all at once.
    """

    rows: int
    outputs: int
    unroll: int
    multiply: str
    reach: int = TRIPLE_STEPS

    @property
    def triple(self) -> bool:
        """Return whether three rows share two words."""
        return self.multiply in (TRIPLE, RISCV_TRIPLE)

    @property
    def words(self) -> int:
        """Return the words of a step."""
        return 2 * self.rows // 3 if self.triple else self.rows // 2

    @property
    def layout(self) -> tuple[Word, ...]:
        """Return what each word of a step holds."""
        if not self.triple:
            return tuple(Word(r, r + 1, self.bits) for r in range(0, self.rows, 2))
        return tuple(
            word
            for r in range(0, self.rows, 3)
            for word in (Word(r, r + 1, self.bits), Word(r + 2, r + 1, TRIPLE_BITS))
        )

    @property
    def group(self) -> int:
        """Return how many rows share their words."""
        return 3 if self.triple else 2

    @property
    def bits(self) -> int:
        """Return where the second row of a word begins."""
        return BITS[self.multiply]

    @property
    def name(self) -> str:
        """Return what tells its C functions from those of other blocks."""
        reach = f"_{self.reach}" if self.triple else ""
        return f"{self.multiply}_{self.rows}x{self.outputs}_{self.unroll}{reach}"


def block_knobs(isa: str, outputs: int, prefix: str = "") -> tuple[Knob, ...]:
    """Return the knobs ``outputs`` and ``unroll``, under names with a prefix.

    More outputs than fit the registers beside the rows are as many as do fit.
    """
    most = min(HELD[isa] // (DEFAULT_ROWS // 2), outputs)
    best = max(n for n in OUTPUTS[isa] if n <= most)
    return (
        Knob(f"{prefix}outputs", OUTPUTS[isa], best),
        Knob(f"{prefix}unroll", UNROLL, DEFAULT_UNROLL[isa]),
    )


def lone_row(rows: object) -> str:
    """Return why a kernel of so many rows is better computed otherwise, or the empty string."""
    return "a single row has none to share its loads with" if rows == 1 else ""


def row_knobs(isa: str) -> tuple[Knob, ...]:
    """Return the knobs ``rows`` and, where there is a choice, ``multiply``."""
    return (Knob("rows", TRIPLE_ROWS, DEFAULT_ROWS), multiply_knob(isa))


def multiply_knob(isa: str) -> Knob:
    """Return the knob that decides how a multiplication serves several rows."""
    ways = (SPLIT, TRIPLE) if isa == RISCV else (LONG, SPLIT, BURST, TRIPLE)
    return Knob("multiply", ways, ways[0])


def multiply_of(isa: str, config: Config, rows: int, long_fits: bool) -> str:
    """Return how a block multiplies: rows by threes as triples if told to, or if they are odd."""
    wanted = str(config["multiply"])
    triple = rows % 3 == 0 and (wanted == TRIPLE or rows % 2 == 1)
    if isa == RISCV:
        return RISCV_TRIPLE if triple else RISCV_SPLIT
    if triple:
        return TRIPLE
    return (LONG if wanted == TRIPLE else wanted) if long_fits else SPLIT


def held(isa: str, multiply: str, rows: int) -> int:
    """Return the outputs whose sums stay in registers beside a block's words."""
    if multiply in (TRIPLE, RISCV_TRIPLE):
        return 2 * HELD[isa] // (2 * rows // 3)
    return HELD[isa] // (rows // 2)


def block_of(
    isa: str,
    config: Config,
    long_fits: bool,
    stride: int = 1,
    prefix: str = "",
    apart: int = 1,
    reach: int = TRIPLE_STEPS,
) -> Block:
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
    apart : int
        Bytes from an output to the next, which bound how many a turn can reach.
    reach : int
        See :class:`Block`.
    """
    rows = int(config["rows"])
    multiply = multiply_of(isa, config, rows, long_fits)
    near = 1 + (FURTHEST[isa] + 1 - UNROLL[-1]) // apart
    if multiply == BURST:
        return Block(min(rows, BURST_ROWS), 1, int(config[f"{prefix}unroll"]), BURST)
    return Block(
        rows,
        max(1, min(int(config[f"{prefix}outputs"]), held(isa, multiply, rows), near)),
        _unroll(int(config[f"{prefix}unroll"]), FURTHEST[isa] // stride),
        multiply,
        reach,
    )


def _unroll(wanted: int, most: int) -> int:
    return max(n for n in UNROLL if n == UNROLL[0] or n <= min(wanted, most))


def filled(template: str, fields: Mapping[str, object]) -> str:
    """Return C with each ``@FIELD@`` replaced."""
    for name, value in fields.items():
        template = template.replace(f"@{name}@", str(value))
    return template
