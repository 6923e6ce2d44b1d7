"""Building the image of a model for an emulated board."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tvm_embbert.errors import TargetError
from tvm_embbert.measure.callgraph_info import CALLGRAPH_FLAG
from tvm_embbert.measure.guards import GUARD_BYTES
from tvm_embbert.measure.linking import ELF_FILE, MAP_FILE, Linker, link_image
from tvm_embbert.measure.sources import MODEL_GROUP, RUNTIME, ModelSources, write_model_header
from tvm_embbert.measure.stack_usage import StackBound
from tvm_embbert.measure.toolchain import Compiler, arm_compiler, compile_sources
from tvm_embbert.target import Emulator, Target

HARNESS_SOURCES = ("startup.c", "fault.c", "harness.c", "harness_arena.c", "port_semihost.c")
"""Sources of the harness in the runtime's folder."""

PROFILE_SOURCES = ("harness_profile.c",)
"""Those of a profiling image, beside."""

_COUNTER_MACROS = {
    "cmsdk-timer": "HARNESS_COUNTER_CMSDK_TIMER",
    "system-counter": "HARNESS_COUNTER_SYSTEM",
}


@dataclass(frozen=True)
class Image:
    """A linked image: ELF and map file, what it was built for, and what it can do.

    Attributes
    ----------
    elf, map_file : Path
        The image, and where the linker put everything.
    target : Target
        The device, with an emulator.
    model : str
        The model's name.
    stack_size : int
        Bytes of stack; in a debug image with those of its guard.
    profile, debug : bool
        Whether it counts the instructions of each step; whether it checks guards.
    stack_bound : StackBound or None
        What the stack's size was computed from; None if the size was given.
    """

    elf: Path
    map_file: Path
    target: Target
    model: str
    stack_size: int
    profile: bool = False
    debug: bool = False
    stack_bound: StackBound | None = None


@dataclass(frozen=True)
class _Options:
    profile: bool
    debug: bool


def image_stem(model: str, target: str, profile: bool = False, debug: bool = False) -> str:
    """Return the name of an image's files without their endings."""
    return f"{model}-{target}{'-profile' if profile else ''}{'-debug' if debug else ''}"


def build_image(
    model: ModelSources,
    target: Target,
    out: Path,
    profile: bool = False,
    stack_size: int | None = None,
    debug: bool = False,
) -> Image:
    """Compile and link a model with the harness for the target's emulated board.

    Parameters
    ----------
    out
        Folder for ``<model>-<target>[-profile][-debug].elf`` and ``.map``; made if missing.
    profile
        Whether to count the instructions of each step, too. The counting itself takes some
        instructions, so take the total from an image without it.
    stack_size
        Bytes of stack, rounded up to a multiple of 8; else exactly what the image can need, see
        :mod:`tvm_embbert.measure.stack_usage`.
    debug
        Whether to keep what debuggers need, and to check after every inference that nothing was
        written beside a pool or over the stack's end.

    Raises
    ------
    ToolchainError
        If the compiler is missing, or refuses the sources; or if ``stack_size`` is not given and
        the stack has no upper bound.
    TargetError
        If the target's core has no emulator.
    """
    emulator = require_emulator(target)
    out = out.resolve()
    compiler = arm_compiler(target.core.flags)
    options = _Options(profile, debug)
    stem = out / image_stem(model.name, target.name, profile, debug)
    elf, map_file = stem.with_name(f"{stem.name}.elf"), stem.with_name(f"{stem.name}.map")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".build-", dir=out) as folder:
        build = Path(folder)
        objects = _compile(compiler, model, options, emulator, build)
        linker = Linker(compiler, emulator, tuple(objects), build)
        guard = GUARD_BYTES if debug else 0
        stack, bound = link_image(linker, model.name, stack_size, guard)
        (build / MAP_FILE).replace(map_file)
        (build / ELF_FILE).replace(elf)
    return Image(elf, map_file, target, model.name, stack, profile, debug, bound)


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
    compiler: Compiler, model: ModelSources, options: _Options, emulator: Emulator, build: Path
) -> list[str]:
    write_model_header(model, build)
    include = [f"-I{model.include.resolve()}"]
    shared = [*include, CALLGRAPH_FLAG, *_debug_flags(model, options)]
    step = ["-include", str(RUNTIME / "include" / "harness_step.h")] if options.profile else []
    objects = compile_sources(compiler, model.sources, build, MODEL_GROUP, [*shared, *step])
    flags = [*shared, "-I.", f"-I{RUNTIME / 'include'}", *_harness_macros(options, emulator)]
    names = HARNESS_SOURCES + (PROFILE_SOURCES if options.profile else ())
    sources = [RUNTIME / name for name in names]
    return [*compile_sources(compiler, sources, build, "harness", flags), *objects]


def _debug_flags(model: ModelSources, options: _Options) -> Sequence[str]:
    # Headers' paths would otherwise get into what is kept for debuggers.
    return ("-g", f"-ffile-prefix-map={model.include.resolve()}=include") if options.debug else ()


def _harness_macros(options: _Options, emulator: Emulator) -> Sequence[str]:
    return (
        f"-DHARNESS_PROFILING={int(options.profile)}",
        f"-DHARNESS_CANARIES={int(options.debug)}",
        f"-DHARNESS_COUNTER_BASE={emulator.counter_base:#x}u",
        f"-D{_COUNTER_MACROS[emulator.counter]}",
    )
