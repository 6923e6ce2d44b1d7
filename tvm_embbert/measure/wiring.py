"""How an image reaches the host: its port, its addresses and its counter, by the kind of link."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tvm_embbert.errors import TargetError
from tvm_embbert.measure.sources import RUNTIME
from tvm_embbert.target import Emulator, Region, Serial, Target
from tvm_embbert.target_checks import require_one_of

LINKS = ("semihosting", "serial", "load")
"""Semihosting of the emulator; a serial line; a serial line, loaded to RAM by the monitor."""

SERIAL_SOURCES = ("harness_link.c", "port_uart.c")
"""Sources of an image on a serial line, in the runtime's folder, beside the UART's driver."""

LEAST_MONITOR_RAM = 4096
"""Bytes that the monitor has for itself at the least."""

_COUNTER_MACROS = {
    "cmsdk-timer": "HARNESS_COUNTER_CMSDK_TIMER",
    "system-counter": "HARNESS_COUNTER_SYSTEM",
    "minstret": "HARNESS_COUNTER_MINSTRET",
    "dwt": "HARNESS_COUNTER_DWT",
    "mcycle": "HARNESS_COUNTER_MCYCLE",
}

_COUNTER_TOOLCHAINS = {
    "dwt": "arm-none-eabi",
    "mcycle": "riscv64-unknown-elf",
    "minstret": "riscv64-unknown-elf",
}


@dataclass(frozen=True)
class Layout:
    """Where the linker puts an image; ``code`` and ``data`` may be one and the same region."""

    vectors: Region
    code: Region
    data: Region

    @property
    def shared(self) -> bool:
        """Whether all lies in one region, one behind the other."""
        return self.code == self.data


@dataclass(frozen=True)
class Wiring:
    """The sources of a port, the compiler's macros for the whole harness, and the layout.

    ``numbered`` tells whether the image carries a number by which the host knows it again.
    """

    sources: tuple[Path, ...]
    macros: tuple[str, ...]
    layout: Layout
    numbered: bool


def require_emulator(target: Target) -> Emulator:
    """Return how to emulate the target's core; raise :class:`TargetError` if it cannot be."""
    if target.core.emulator is None:
        raise TargetError(
            f"The core {target.core.name!r} of target {target.name!r} has no emulator.",
            where=str(target.source),
            supported="a core whose file has an [emulator] table",
            hint="Choose another target, or build a library for this machine.",
        )
    return target.core.emulator


def require_serial(target: Target) -> Serial:
    """Return the target's serial line; raise :class:`TargetError` if it has none."""
    if target.serial is None:
        raise TargetError(
            f"The target {target.name!r} has no serial line.",
            where=str(target.source),
            supported="a device whose file has a [serial] table",
            hint="Add the table with uart, base and clock_hz, and compile again.",
        )
    return target.serial


def require_load_ram(target: Target) -> Region:
    """Return the RAM that images are loaded to; raise :class:`TargetError` if there is none."""
    region = require_serial(target).load_ram
    if region is None:
        raise TargetError(
            f"The target {target.name!r} has no RAM to load images to.",
            where=f"{target.source}: serial.load_ram",
            supported="a region of RAM that code can run from",
            hint="Add load_ram = { origin = ..., length = ... }, or flash the images themselves.",
        )
    return region


def require_flash(target: Target) -> str:
    """Return the command that flashes a board; raise :class:`TargetError` if there is none."""
    command = require_serial(target).flash
    if not command:
        raise TargetError(
            f"The target {target.name!r} has no command to flash a board.",
            where=f"{target.source}: serial.flash",
            supported="a command with {elf} in the place of the image's path",
            hint="Add the command to the device's file, or flash the image by hand.",
        )
    return command


def with_baud(target: Target, baud: int | None) -> Target:
    """Return the target with another speed of its serial line, None for its own."""
    if baud is None:
        return target
    return replace(target, serial=replace(require_serial(target), baud=baud))


def wiring(target: Target, link: str) -> Wiring:
    """Return the wiring of a model's image.

    Parameters
    ----------
    link
        One of :data:`LINKS`.

    Raises
    ------
    TargetError
        If the target lacks what the link needs, or the link is unknown.
    """
    require_one_of("link", link, LINKS)
    if link == "semihosting":
        emulator = require_emulator(target)
        layout = Layout(emulator.vectors, emulator.code, emulator.data)
        macros = _counter_macros(emulator.counter, emulator.counter_base)
        return Wiring((RUNTIME / "port_semihost.c",), macros, layout, False)
    if link == "serial":
        return _on_serial(target, _board_layout(target), guard=True)
    region = require_load_ram(target)
    return _on_serial(target, Layout(region, region, region), guard=False)


def monitor_wiring(target: Target) -> Wiring:
    """Return the wiring of the monitor, whose own memory lies before the region that it loads to.

    Raises
    ------
    TargetError
        If the target has no such region, or it leaves no room.
    """
    load, own = require_load_ram(target), _board_layout(target)
    data = own.data
    if data.origin < load.end and load.origin < data.end:
        room = load.origin - data.origin
        if room < LEAST_MONITOR_RAM:
            raise TargetError(
                f"load_ram leaves {max(room, 0)} bytes of data to the monitor.",
                where=f"{target.source}: serial.load_ram",
                supported=f"{LEAST_MONITOR_RAM} bytes or more between the origins of both",
                hint="Move the origin of load_ram up.",
            )
        data = Region(data.origin, room)
    wired = _on_serial(target, Layout(own.vectors, own.code, data), guard=False)
    macros = (
        "-DHARNESS_ROLE=LINK_ROLE_MONITOR",
        f"-DHARNESS_LOAD_ORIGIN={load.origin:#x}u",
        f"-DHARNESS_LOAD_LENGTH={load.length:#x}u",
    )
    return Wiring(wired.sources, (*wired.macros, *macros), wired.layout, True)


def _board_layout(target: Target) -> Layout:
    serial = require_serial(target)
    if serial.vectors and serial.code and serial.data:
        return Layout(serial.vectors, serial.code, serial.data)
    emulator = require_emulator(target)
    return Layout(emulator.vectors, emulator.code, emulator.data)


def _on_serial(target: Target, layout: Layout, guard: bool) -> Wiring:
    serial = require_serial(target)
    own = serial.uart.endswith(".c")
    driver = Path(serial.uart) if own else RUNTIME / f"uart_{serial.uart}.c"
    macros = (
        f"-DHARNESS_UART_BASE={serial.base:#x}u",
        f"-DHARNESS_UART_CLOCK_HZ={serial.clock_hz}u",
        f"-DHARNESS_UART_STRIDE={serial.stride}u",
        f"-DHARNESS_UART_BAUD={serial.baud}u",
        f"-DHARNESS_STACK_GUARD={int(guard)}",
        # A core that cannot reset itself goes back there: to what lies in flash.
        f"-DHARNESS_START={_board_layout(target).vectors.origin:#x}u",
    )
    sources = (*(RUNTIME / name for name in SERIAL_SOURCES), driver)
    return Wiring(sources, (*_board_counter(target), *macros), layout, True)


def _board_counter(target: Target) -> tuple[str, ...]:
    counter = require_serial(target).counter
    if not counter:
        emulator = require_emulator(target)
        return _counter_macros(emulator.counter, emulator.counter_base)
    if _COUNTER_TOOLCHAINS[counter] != target.core.toolchain:
        fitting = [c for c, t in _COUNTER_TOOLCHAINS.items() if t == target.core.toolchain]
        raise TargetError(
            f"The core {target.core.name!r} has no counter {counter!r}.",
            where=f"{target.source}: serial.counter",
            supported=", ".join(fitting),
            hint="Use one of the supported counters.",
        )
    return _counter_macros(counter, 0)


def _counter_macros(counter: str, base: int) -> tuple[str, ...]:
    return (f"-DHARNESS_COUNTER_BASE={base:#x}u", f"-D{_COUNTER_MACROS[counter]}")
