"""A device on a serial line: its UART, where images lie on it, and what counts its cycles."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tvm_embbert.errors import TargetError
from tvm_embbert.target_checks import require_at_least, require_at_most, require_one_of
from tvm_embbert.target_emulator import ADDRESS_SPACE, Region, require_disjoint
from tvm_embbert.toml_table import Table

UARTS = ("cmsdk", "16550")
"""UARTs whose drivers are shipped; any other is a C source, see ``runtime/include``."""

BOARD_COUNTERS = ("dwt", "mcycle", "minstret")
"""Counters of a core: cycles of a Cortex-M or of RISC-V, instructions of RISC-V."""

DEFAULT_BAUD = 115_200
"""Bits in a second where nothing else is said."""

LOAD_ALIGNMENT = 1024
"""Bytes; vectors of an image in RAM stand at a multiple of it."""

REGIONS = ("vectors", "code", "data")


@dataclass(frozen=True)
class Serial:
    """How a board answers on a serial line.

    Attributes
    ----------
    uart : str
        One of :data:`UARTS`, or the path of a C source with the functions of ``harness_uart.h``.
    base, clock_hz, stride : int
        Address of the UART's registers, the frequency that it divides, and the bytes from one
        register to the next; a driver of one's own may need none of them.
    baud : int
        Bits in a second.
    port : str
        The serial port on this machine, or "" if it is told at each call.
    counter : str
        One of :data:`BOARD_COUNTERS`; "" for the timer of the core's emulated board.
    core_hz : int
        Cycles of the core in a second, by which a counter of 32 bits that ran over is found out; 0
        where the counter has 64.
    vectors, code, data : Region or None
        Where an image lies on the board; None for the addresses of the core's emulated board.
    load_ram : Region or None
        RAM that code can run from, to which the monitor loads images; None if there is none.
    flash : str
        The command that writes an image to the board, with ``{elf}`` in it; "" if there is none.
    """

    uart: str
    base: int = 0
    clock_hz: int = 0
    stride: int = 1
    baud: int = DEFAULT_BAUD
    port: str = ""
    counter: str = ""
    core_hz: int = 0
    vectors: Region | None = None
    code: Region | None = None
    data: Region | None = None
    load_ram: Region | None = None
    flash: str = ""

    def __post_init__(self) -> None:
        """Raise :class:`TargetError` for values that no image can be made with."""
        if not self.uart.endswith(".c"):
            require_one_of("uart", self.uart, (*UARTS, "the path of a driver in C, FILE.c"))
            require_at_least("clock_hz", self.clock_hz, 1)
        require_at_least("clock_hz", self.clock_hz, 0)
        require_at_least("base", self.base, 0)
        require_at_most("base", self.base, ADDRESS_SPACE - 1)
        require_at_least("stride", self.stride, 1)
        require_at_least("baud", self.baud, 1)
        self._check_counter()
        self._check_regions()
        if self.flash and "{elf}" not in self.flash:
            raise TargetError(
                f"The command {self.flash!r} does not name the image.",
                where="flash",
                supported="a command with {elf} in the place of the image's path",
                hint="For example flash = \"openocd -f board.cfg -c 'program {elf} reset exit'\".",
            )

    @property
    def unit(self) -> str:
        """What the counter counts: "cycles", or "instructions"."""
        return "cycles" if self.counter in ("dwt", "mcycle") else "instructions"

    def _check_counter(self) -> None:
        if self.counter:
            require_one_of("counter", self.counter, BOARD_COUNTERS)
        require_at_least("core_hz", self.core_hz, 1 if self.counter == "dwt" else 0)

    def _check_regions(self) -> None:
        given = {name: getattr(self, name) for name in REGIONS if getattr(self, name)}
        if given and len(given) < len(REGIONS):
            missing = next(name for name in REGIONS if name not in given)
            raise TargetError(
                f"{missing} is missing.",
                where=missing,
                supported="vectors, code and data together, or none of them",
                hint=f"Add {missing}.",
            )
        # The timer of the emulated board, at that board's address, would be read on another one.
        if given and not self.counter:
            raise TargetError(
                "A board with addresses of its own needs a counter of its own.",
                where="counter",
                supported=", ".join(BOARD_COUNTERS),
                hint='For example counter = "dwt" for a Cortex-M, "mcycle" for RISC-V.',
            )
        require_disjoint(given)
        if self.load_ram and self.load_ram.origin % LOAD_ALIGNMENT:
            raise TargetError(
                f"load_ram begins at {self.load_ram.origin:#x}.",
                where="load_ram",
                supported=f"multiples of {LOAD_ALIGNMENT} bytes",
                hint="Move its origin up to the next one.",
            )


def read_serial(device: Table) -> Serial | None:
    """Return the table ``[serial]`` of a device's file, or None if it has none.

    Raises
    ------
    TargetError
        If a key is unknown, or its value wrong; if the driver does not exist.
    """
    if "serial" not in device.values:
        return None
    table = device.table("serial", tuple(field.name for field in fields(Serial)))
    values: dict[str, Any] = {"uart": _uart(table)}
    for key in table.values:
        if key in ("base", "clock_hz", "stride", "baud", "core_hz"):
            values[key] = table.integer(key)
        elif key in ("port", "counter", "flash"):
            values[key] = table.text(key)
        elif key != "uart":
            values[key] = _region(table, key)
    with table.locate():
        return Serial(**values)


def serial_from_json(values: dict[str, Any] | None) -> Serial | None:
    """Return what ``dataclasses.asdict`` made of the table."""
    if values is None:
        return None
    regions = {key: Region(**values[key]) for key in (*REGIONS, "load_ram") if values[key]}
    return Serial(**{**values, **regions})


def _uart(table: Table) -> str:
    """Return the UART's kind, or the driver's path, which is told from the device's file."""
    uart = table.text("uart")
    if not uart.endswith(".c"):
        return uart
    path = (table.path.resolve().parent / Path(uart)).resolve()
    if not path.is_file():
        what = f"The driver {uart!r} does not exist."
        supported = f"{', '.join(UARTS)}, or the path of a C source"
        raise table.error("uart", what, supported, f"Create {path}, see harness_uart.h.")
    return str(path)


def _region(table: Table, key: str) -> Region:
    region = table.table(key, ("origin", "length"))
    origin, length = region.integer("origin"), region.size("length")
    with region.locate():
        return Region(origin, length)
