"""The monitor: an image that is flashed once, and loads others into RAM."""

from __future__ import annotations

import contextlib
import tempfile
import zlib
from pathlib import Path

from tvm_embbert.errors import DeviceError
from tvm_embbert.measure.board_channel import BoardChannel, LostError
from tvm_embbert.measure.callgraph_info import CALLGRAPH_FLAG
from tvm_embbert.measure.cross import CROSS_TOOLCHAINS
from tvm_embbert.measure.elf_sections import LoadedSection, loaded_sections
from tvm_embbert.measure.image import ARCHITECTURE_SOURCES, Image
from tvm_embbert.measure.linking import ELF_FILE, MAP_FILE, Linker, link_monitor
from tvm_embbert.measure.protocol import (
    FrameType,
    error_of,
    pack_check,
    pack_run,
    pack_write,
    unpack_checksum,
)
from tvm_embbert.measure.sources import RUNTIME
from tvm_embbert.measure.toolchain import compile_sources
from tvm_embbert.measure.wiring import monitor_wiring, require_load_ram
from tvm_embbert.target import Target

MONITOR_SOURCES = ("harness_memory.c", "monitor.c")
"""Sources of the monitor in the runtime's folder, beside its port."""

_BLOCK = 8192
"""Bytes of a WRITE at the most; after each the board tells what its memory then holds."""

_NO_MODEL = """\
/* The monitor has no model, and so no memory pools. */
#define MODEL_POOLS(POOL)
#define MODEL_POOL_ALIGNMENT 1
"""


def build_monitor(target: Target, out: Path) -> Path:
    """Compile and link the monitor of a target.

    Parameters
    ----------
    out
        Folder for ``monitor-<target>.elf`` and ``.map``; made if missing.

    Returns
    -------
    The path of the ELF file.

    Raises
    ------
    ToolchainError
        If the compiler is missing, or refuses the driver; or if its stack has no upper bound.
    TargetError
        If the target has no serial line, or no RAM to load images to.
    """
    wired, cross, out = (
        monitor_wiring(target),
        CROSS_TOOLCHAINS[target.core.toolchain],
        out.resolve(),
    )
    compiler = cross.compiler(target.core.flags)
    names = [f"{cross.runtime}/{name}" for name in ARCHITECTURE_SOURCES] + list(MONITOR_SOURCES)
    sources = [*(RUNTIME / name for name in names), *wired.sources]
    includes = ["-I.", f"-I{RUNTIME / 'include'}", f"-I{RUNTIME / cross.runtime}"]
    out.mkdir(parents=True, exist_ok=True)
    elf = out / f"monitor-{target.name}.elf"
    with tempfile.TemporaryDirectory(prefix=".build-", dir=out) as folder:
        build = Path(folder)
        (build / "harness_model.h").write_text(_NO_MODEL, encoding="utf-8")
        flags = [*includes, *wired.macros, CALLGRAPH_FLAG]
        objects = compile_sources(compiler, sources, build, "harness", flags)
        link_monitor(Linker(compiler, cross, wired.layout, tuple(objects), build, wired.numbered))
        (build / MAP_FILE).replace(elf.with_suffix(".map"))
        (build / ELF_FILE).replace(elf)
    return elf


def run_loaded(channel: BoardChannel, image: Image, timeout_s: float) -> None:
    """Load an image through the monitor and run it; the session with the monitor ends.

    What already stands in the board's memory, from a session before, is not sent again.

    Parameters
    ----------
    timeout_s
        Seconds that each block of the image may take.

    Raises
    ------
    DeviceError
        If the board does not answer, or its memory does not hold what was written.
    ToolchainError
        If the image cannot be read.
    """
    for section in loaded_sections(image.elf):
        for start in range(0, len(section.data), _BLOCK):
            block = section.data[start : start + _BLOCK]
            _write(channel, LoadedSection(section.address + start, block), timeout_s)
    origin = require_load_ram(image.target).origin
    # Where the answer was lost, the image that runs now says that it knows no such session.
    with contextlib.suppress(LostError):
        channel.post(pack_run(origin), timeout_s)


def _write(channel: BoardChannel, block: LoadedSection, timeout_s: float) -> None:
    wanted, size = zlib.crc32(block.data), len(block.data)
    for request in (pack_check(block.address, size), pack_write(block.address, block.data)):
        answer, payload = channel.exchange(request, timeout_s)
        if answer is FrameType.ERROR:
            raise error_of(payload)
        # Where there is no memory, the monitor may also have crashed.
        if answer is FrameType.FAULT:
            break
        if unpack_checksum(payload) == wanted:
            return
    raise DeviceError(
        "The board's memory does not hold what the monitor wrote.",
        where=f"{size} bytes at {block.address:#x}",
        supported="RAM that is there and on after a reset",
        hint="Check load_ram in the device's file against the board's memory map.",
    )
