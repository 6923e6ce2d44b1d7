"""Building the image of a model for an emulated board."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tvm_embbert.errors import TargetError
from tvm_embbert.measure.sources import RUNTIME, ModelSources, write_model_header
from tvm_embbert.measure.toolchain import Compiler, arm_compiler, compile_sources, link
from tvm_embbert.target import Emulator, Target

DEFAULT_STACK_SIZE = 4096
"""Bytes of stack in an image, unless asked otherwise."""

MODEL_GROUP = "model"
"""Folder of the model's objects within a build, by which the map file tells them apart."""

HARNESS_SOURCES = ("startup.c", "fault.c", "harness.c", "port_semihost.c")
"""Sources of the harness in the runtime's folder."""

_COUNTER_MACROS = {
    "cmsdk-timer": "HARNESS_COUNTER_CMSDK_TIMER",
    "system-counter": "HARNESS_COUNTER_SYSTEM",
}


@dataclass(frozen=True)
class Image:
    """A linked image: ELF and map file, what it was built for, and whether it can profile.

    ``stack_size`` is in bytes.
    """

    elf: Path
    map_file: Path
    target: Target
    model: str
    profile: bool = False
    stack_size: int = DEFAULT_STACK_SIZE


def build_image(
    model: ModelSources,
    target: Target,
    out: Path,
    profile: bool = False,
    stack_size: int = DEFAULT_STACK_SIZE,
) -> Image:
    """Compile and link a model with the harness for the target's emulated board.

    Parameters
    ----------
    out
        Folder for ``<model>-<target>[-profile].elf`` and ``.map``; made if missing.
    profile
        Whether to count the instructions of each step, too. The counting itself takes some
        instructions, so take the total from an image without it.
    stack_size
        Bytes of stack; rounded up to a multiple of 8.

    Raises
    ------
    ToolchainError
        If the compiler is missing, or refuses the sources.
    TargetError
        If the target's core has no emulator.
    """
    emulator = require_emulator(target)
    out = out.resolve()
    compiler = arm_compiler(target.core.flags)
    stack_size = max(-(-stack_size // 8) * 8, 1024)
    stem = f"{model.name}-{target.name}{'-profile' if profile else ''}"
    image = Image(out / f"{stem}.elf", out / f"{stem}.map", target, model.name, profile, stack_size)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".build-", dir=out) as folder:
        build = Path(folder)
        objects = _compile(compiler, model, image, emulator, build)
        _link(compiler, objects, emulator, build)
        (build / "image.map").replace(image.map_file)
        (build / "image.elf").replace(image.elf)
    return image


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


def _compile(
    compiler: Compiler, model: ModelSources, image: Image, emulator: Emulator, build: Path
) -> list[str]:
    write_model_header(model, build)
    include = [f"-I{model.include.resolve()}"]
    step = ["-include", str(RUNTIME / "include" / "harness_step.h")] if image.profile else []
    objects = compile_sources(compiler, model.sources, build, MODEL_GROUP, [*include, *step])
    flags = [*include, "-I.", f"-I{RUNTIME / 'include'}", *_harness_macros(image, emulator)]
    sources = [RUNTIME / name for name in HARNESS_SOURCES]
    return [*compile_sources(compiler, sources, build, "harness", flags), *objects]


def _harness_macros(image: Image, emulator: Emulator) -> Sequence[str]:
    return (
        f"-DHARNESS_STACK_SIZE={image.stack_size}",
        f"-DHARNESS_PROFILING={int(image.profile)}",
        f"-DHARNESS_COUNTER_BASE={emulator.counter_base:#x}u",
        f"-D{_COUNTER_MACROS[emulator.counter]}",
    )


def _link(compiler: Compiler, objects: Sequence[str], emulator: Emulator, build: Path) -> None:
    (build / "link.ld").write_text(linker_script(emulator), encoding="utf-8")
    # The C library gives memcpy and the like, the compiler's own one 64-bit division; nano.specs
    # picks their small versions.
    flags = ["-nostartfiles", "--specs=nano.specs", "-T", "link.ld", "-o", "image.elf"]
    link(compiler, objects, build, [*flags, "-Wl,--gc-sections", "-Wl,-Map=image.map"])


def linker_script(emulator: Emulator) -> str:
    """Return the linker script for the emulated board's memories."""
    text = (RUNTIME / "link.ld.in").read_text(encoding="utf-8")
    regions = {"VECTORS": emulator.vectors, "CODE": emulator.code, "DATA": emulator.data}
    for name, region in regions.items():
        text = text.replace(f"@{name}_ORIGIN@", f"{region.origin:#x}")
        text = text.replace(f"@{name}_LENGTH@", f"{region.length:#x}")
    return text
