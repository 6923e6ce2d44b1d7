"""Building the image of a model for an emulated board."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tvm_embbert.measure.callgraph_info import CALLGRAPH_FLAG
from tvm_embbert.measure.candidates import write_candidates
from tvm_embbert.measure.cross import CROSS_TOOLCHAINS, CrossToolchain
from tvm_embbert.measure.guards import GUARD_BYTES
from tvm_embbert.measure.linking import ELF_FILE, MAP_FILE, Linker, link_image
from tvm_embbert.measure.sources import MODEL_GROUP, RUNTIME, ModelSources, write_model_header
from tvm_embbert.measure.stack_usage import StackBound
from tvm_embbert.measure.toolchain import COMPILE_TIMEOUT_S, Compiler, compile_sources
from tvm_embbert.measure.wiring import Wiring, wiring
from tvm_embbert.target import Target

ARCHITECTURE_SOURCES = ("startup.c", "fault.c")
"""Sources of the harness in the architecture's folder within the runtime's."""

HARNESS_SOURCES = ("harness_memory.c", "harness.c", "harness_arena.c")
"""Those in the runtime's folder itself; the port comes beside."""

PROFILE_SOURCES = ("harness_profile.c",)
"""Those of a profiling image, beside."""


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
    link : str
        How it reaches the host, one of :data:`tvm_embbert.measure.wiring.LINKS`.
    others : tuple of str
        The names of further models in it, see :attr:`candidates`.
    """

    elf: Path
    map_file: Path
    target: Target
    model: str
    stack_size: int
    profile: bool = False
    debug: bool = False
    stack_bound: StackBound | None = None
    link: str = "semihosting"
    others: tuple[str, ...] = ()

    @property
    def candidates(self) -> tuple[str, ...]:
        """The names of all models in it, by their numbers."""
        return (self.model, *self.others)


@dataclass(frozen=True)
class _Options:
    profile: bool
    debug: bool


def image_stem(
    model: str, target: str, profile: bool = False, debug: bool = False, link: str = "semihosting"
) -> str:
    """Return the name of an image's files without their endings."""
    ending = "" if link == "semihosting" else f"-{link}"
    return f"{model}-{target}{'-profile' if profile else ''}{'-debug' if debug else ''}{ending}"


def build_image(
    model: ModelSources,
    target: Target,
    out: Path,
    profile: bool = False,
    stack_size: int | None = None,
    debug: bool = False,
    link: str = "semihosting",
    others: Sequence[ModelSources] = (),
    compile_s: float = COMPILE_TIMEOUT_S,
) -> Image:
    """Compile and link a model with the harness for the target's emulated board, or for a board.

    Parameters
    ----------
    out
        Folder for ``<model>-<target>[-profile][-debug][-<link>].elf`` and ``.map``; made if
        missing.
    profile
        Whether to count the instructions of each step, too. The counting itself takes some
        instructions, so take the total from an image without it.
    stack_size
        Bytes of stack, rounded up to a multiple of 8 (Arm) or 16 (RISC-V); else exactly what the
        image can need, see :mod:`tvm_embbert.measure.stack_usage`.
    debug
        Whether to keep what debuggers need, and to check after every inference that nothing was
        written beside a pool or over the stack's end.
    link
        "semihosting" for the emulator; for a board on a serial line "serial", or "load" for an
        image that the monitor loads to RAM.
    others
        Further models in the same image, which ``select`` of a session chooses from; they take
        the same length and have as many outputs. Flash is then written once for all.
    compile_s
        Seconds that the compiler may take for a source.

    Raises
    ------
    ToolchainError
        If the compiler is missing, or refuses the sources; or if ``stack_size`` is not given and
        the stack has no upper bound.
    TargetError
        If the target's core has no emulator; or if it lacks what the link needs.
    """
    wired, cross = wiring(target, link), CROSS_TOOLCHAINS[target.core.toolchain]
    compiler = replace(cross.compiler(target.core.flags), timeout_s=compile_s)
    models = (model, *others)
    name, *rest = (one.name for one in models)
    stem = image_stem("-".join((name, *rest)), target.name, profile, debug, link)
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".build-", dir=out) as folder:
        build = _Build(compiler, cross, _Options(profile, debug), Path(folder))
        stack, bound = build.link(models, wired, stack_size)
        elf, map_file = build.keep(out / stem)
    return Image(elf, map_file, target, name, stack, profile, debug, bound, link, tuple(rest))


@dataclass(frozen=True)
class _Build:
    """How everything in an image is compiled, and the folder where."""

    compiler: Compiler
    cross: CrossToolchain
    options: _Options
    folder: Path

    def link(
        self, models: Sequence[ModelSources], wired: Wiring, stack_size: int | None
    ) -> tuple[int, StackBound | None]:
        """Compile and link all; returns what :func:`link_image` does."""
        objects = tuple(self.compile(models, wired))
        layout, numbered = wired.layout, wired.numbered
        linker = Linker(self.compiler, self.cross, layout, objects, self.folder, numbered)
        guard = GUARD_BYTES if self.options.debug else 0
        return link_image(linker, models[0].name, stack_size, guard)

    def keep(self, stem: Path) -> tuple[Path, Path]:
        """Move image and map file to their places, which are returned."""
        elf, map_file = (stem.with_name(f"{stem.name}{end}") for end in (".elf", ".map"))
        (self.folder / MAP_FILE).replace(map_file)
        (self.folder / ELF_FILE).replace(elf)
        return elf, map_file

    def compile(self, models: Sequence[ModelSources], wired: Wiring) -> list[str]:
        """Return the objects of harness and models."""
        generated = []
        if len(models) > 1:
            generated = [write_candidates(models, self.folder)]
        else:
            write_model_header(models[0], self.folder)
        includes = [f"-I{model.include.resolve()}" for model in models]
        shared = [*includes, CALLGRAPH_FLAG, *self._debug_flags(models)]
        objects = self._model(models, shared)
        sources = [*wired.sources, *generated]
        flags = [*shared, *_harness_macros(self.options), *wired.macros]
        return [*self._harness(sources, flags), *objects]

    def _model(self, models: Sequence[ModelSources], shared: Sequence[str]) -> list[str]:
        header = str(RUNTIME / "include" / "harness_step.h")
        flags = [*shared, *(["-include", header] if self.options.profile else [])]
        sources = [source for model in models for source in model.sources]
        return compile_sources(self.compiler, sources, self.folder, MODEL_GROUP, flags)

    def _harness(self, port: Sequence[Path], shared: Sequence[str]) -> list[str]:
        own = self.cross.runtime
        names = [f"{own}/{name}" for name in ARCHITECTURE_SOURCES] + list(HARNESS_SOURCES)
        sources = [*(RUNTIME / name for name in names), *port]
        if self.options.profile:
            sources += [RUNTIME / name for name in PROFILE_SOURCES]
        flags = [*shared, "-I.", f"-I{RUNTIME / 'include'}", f"-I{RUNTIME / own}"]
        return compile_sources(self.compiler, sources, self.folder, "harness", flags)

    def _debug_flags(self, models: Sequence[ModelSources]) -> Sequence[str]:
        # Headers' paths would otherwise get into what is kept for debuggers.
        maps = (f"-ffile-prefix-map={model.include.resolve()}=include" for model in models)
        return ("-g", *maps) if self.options.debug else ()


def _harness_macros(options: _Options) -> Sequence[str]:
    return (
        f"-DHARNESS_PROFILING={int(options.profile)}",
        f"-DHARNESS_CANARIES={int(options.debug)}",
    )
