"""Building the image of a model for an emulated board."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tvm_embbert.errors import TargetError
from tvm_embbert.measure.callgraph_info import CALLGRAPH_FLAG
from tvm_embbert.measure.guards import GUARD_BYTES
from tvm_embbert.measure.sources import MODEL_GROUP, RUNTIME, ModelSources, write_model_header
from tvm_embbert.measure.stack_usage import StackBound, fault_stack, read_call_graph, stack_bound
from tvm_embbert.measure.toolchain import Compiler, arm_compiler, compile_sources, link
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
class Options:
    """What an image is built with, beside the model and the target."""

    profile: bool
    debug: bool
    stack_size: int | None


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
    options = Options(profile, debug, stack_size)
    stem = out / image_stem(model.name, target.name, profile, debug)
    elf, map_file = stem.with_name(f"{stem.name}.elf"), stem.with_name(f"{stem.name}.map")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".build-", dir=out) as folder:
        build = Path(folder)
        objects = compile_objects(compiler, model, options, emulator, build)
        stack, bound = _link_with_stack(compiler, objects, emulator, options, model.name, build)
        (build / "image.map").replace(map_file)
        (build / "image.elf").replace(elf)
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


def compile_objects(
    compiler: Compiler, model: ModelSources, options: Options, emulator: Emulator, build: Path
) -> list[str]:
    """Compile the harness and the model in the folder ``build``; return the objects' paths there.

    Raises
    ------
    ToolchainError
        If the compiler refuses a source.
    """
    write_model_header(model, build)
    include = [f"-I{model.include.resolve()}"]
    shared = [*include, CALLGRAPH_FLAG, *_debug_flags(model, options)]
    step = ["-include", str(RUNTIME / "include" / "harness_step.h")] if options.profile else []
    objects = compile_sources(compiler, model.sources, build, MODEL_GROUP, [*shared, *step])
    flags = [*shared, "-I.", f"-I{RUNTIME / 'include'}", *_harness_macros(options, emulator)]
    names = HARNESS_SOURCES + (PROFILE_SOURCES if options.profile else ())
    sources = [RUNTIME / name for name in names]
    return [*compile_sources(compiler, sources, build, "harness", flags), *objects]


def _debug_flags(model: ModelSources, options: Options) -> Sequence[str]:
    # Headers' paths would otherwise get into what is kept for debuggers.
    return ("-g", f"-ffile-prefix-map={model.include.resolve()}=include") if options.debug else ()


def _harness_macros(options: Options, emulator: Emulator) -> Sequence[str]:
    return (
        f"-DHARNESS_PROFILING={int(options.profile)}",
        f"-DHARNESS_CANARIES={int(options.debug)}",
        f"-DHARNESS_COUNTER_BASE={emulator.counter_base:#x}u",
        f"-D{_COUNTER_MACROS[emulator.counter]}",
    )


def _link_with_stack(
    compiler: Compiler,
    objects: Sequence[str],
    emulator: Emulator,
    options: Options,
    model: str,
    build: Path,
) -> tuple[int, StackBound | None]:
    """Link twice: to see what the stacks need, then with these sizes; return the main one's."""
    _link(compiler, objects, emulator, StackSizes(0, 0), build)
    graph = read_call_graph(build / "image.elf", build / "image.map", build)
    bound = None if options.stack_size is not None else stack_bound(graph, model)
    needed = options.stack_size if bound is None else bound.total
    guard = GUARD_BYTES if options.debug else 0
    sizes = StackSizes(_words(needed or 0) + guard, _words(fault_stack(graph)))
    _link(compiler, objects, emulator, sizes, build)
    return sizes.main, bound


def _words(size: int) -> int:
    # Stacks are aligned to 8 bytes.
    return -(-size // 8) * 8


def _link(
    compiler: Compiler,
    objects: Sequence[str],
    emulator: Emulator,
    stacks: StackSizes,
    build: Path,
) -> None:
    (build / "link.ld").write_text(linker_script(emulator, stacks), encoding="utf-8")
    # The C library gives memcpy and the like, the compiler's own one 64-bit division; nano.specs
    # picks their small versions.
    flags = ["-nostartfiles", "--specs=nano.specs", "-T", "link.ld", "-o", "image.elf"]
    link(compiler, objects, build, [*flags, "-Wl,--gc-sections", "-Wl,-Map=image.map"])


@dataclass(frozen=True)
class StackSizes:
    """Bytes of the stack, and of the one that only a fault's report uses."""

    main: int
    fault: int


def linker_script(emulator: Emulator, stacks: StackSizes) -> str:
    """Return the linker script for the emulated board's memories."""
    text = (RUNTIME / "link.ld.in").read_text(encoding="utf-8")
    regions = {"VECTORS": emulator.vectors, "CODE": emulator.code, "DATA": emulator.data}
    for name, region in regions.items():
        text = text.replace(f"@{name}_ORIGIN@", f"{region.origin:#x}")
        text = text.replace(f"@{name}_LENGTH@", f"{region.length:#x}")
    text = text.replace("@STACK@", f"{stacks.main:#x}")
    return text.replace("@FAULT_STACK@", f"{stacks.fault:#x}")
