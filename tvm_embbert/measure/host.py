"""Running a compiled model on this machine, as a shared library through ctypes."""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tvm_embbert.errors import DeviceError, ToolchainError
from tvm_embbert.measure.guards import GuardedPool
from tvm_embbert.measure.session import Answer, Ids, ModelInfo, Session, ids_array, length_or
from tvm_embbert.measure.sources import MODEL_GROUP, RUNTIME, ModelSources, write_model_header
from tvm_embbert.measure.toolchain import Compiler, compile_sources, host_compiler, link

_DEBUG_FLAGS = (
    "-g",
    "-fsanitize=undefined",
    "-fno-sanitize-recover=all",
    # Without the sanitizer's library, which would have to be there wherever the model runs.
    "-fsanitize-undefined-trap-on-error",
    # Instrumented code brings warnings of its own; those of the plain code are errors elsewhere.
    "-Wno-error",
)


def build_library(model: ModelSources, out: Path, debug: bool = False) -> Path:
    """Compile a model into ``<out>/lib<name>.so`` with this machine's compiler.

    Parameters
    ----------
    debug
        Whether to keep what debuggers need and to stop the process (SIGILL or SIGTRAP) at
        undefined behaviour, such as a signed overflow, where the compiler can.

    Raises
    ------
    ToolchainError
        If there is no compiler, or it refuses the sources.
    """
    out = out.resolve()
    library = out / f"lib{model.name}.so"
    compiler = host_compiler(("-fPIC",))
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".build-", dir=out) as folder:
        build = Path(folder)
        write_model_header(model, build)
        checks = _debug_flags(compiler, build) if debug else ()
        include = [f"-I{model.include.resolve()}", "-I.", *checks]
        objects = compile_sources(compiler, model.sources, build, MODEL_GROUP, include)
        shim = [RUNTIME / "host_shim.c"]
        objects += compile_sources(compiler, shim, build, "harness", include)
        link(compiler, objects, build, ["-shared", "-o", "library.so"])
        # A rename gives a new file, so a process that holds an older library keeps it whole.
        (build / "library.so").replace(library)
    return library


def _debug_flags(compiler: Compiler, build: Path) -> Sequence[str]:
    """Return the flags of a debug build that the compiler knows."""
    (build / "probe.c").write_text("int harness_probe;\n", encoding="utf-8")
    try:
        compile_sources(compiler, [build / "probe.c"], build, "probe", _DEBUG_FLAGS)
    except ToolchainError:
        return ("-g",)
    return _DEBUG_FLAGS


class HostSession(Session):
    """A model's shared library, ready to answer.

    The model runs inside this process: if it crashes, so does the process, and a hang is not
    noticed. Models that are not trusted belong in the emulator. Each pool lies between guards that
    are checked after every inference; a session whose model wrote over one is closed.
    """

    def __init__(self, library: Path) -> None:
        """Load the library; raise :class:`ToolchainError` if it is not one of ours."""
        try:
            self._library: ctypes.CDLL | None = ctypes.CDLL(str(library.resolve()))
            self._infer = self._library.harness_host_infer
            self._sizes = self._library.harness_host_info
            self._pool = self._library.harness_host_pool
        except (OSError, AttributeError) as error:
            raise ToolchainError(
                f"The library of the model could not be loaded: {error}",
                where=str(library),
                hint="Build it again with build_library.",
            ) from error
        self._infer.restype = ctypes.c_int32
        self._pool.restype = ctypes.c_char_p
        sizes = (ctypes.c_uint32 * 4)()
        self._sizes(sizes)
        max_length, num_outputs, pools, alignment = sizes
        self._pools = [self._make_pool(index, alignment) for index in range(pools)]
        arena_size = sum(pool.size for pool in self._pools)
        self._info = ModelInfo(max_length, num_outputs, arena_size)

    def _make_pool(self, index: int, alignment: int) -> GuardedPool:
        size = ctypes.c_uint32()
        name = self._pool(ctypes.c_uint32(index), ctypes.byref(size))
        return GuardedPool(name.decode("ascii"), size.value, alignment)

    @property
    def info(self) -> ModelInfo:
        """Sizes of the model."""
        return self._info

    def infer(
        self, ids: Ids, *, length: int | None = None, arena_size: int | None = None
    ) -> Answer:
        """Run the model on one sentence; see :class:`tvm_embbert.measure.session.Session`.

        ``arena_size`` is what the model is told of its first pool, in bytes, if another than the
        real size.
        """
        if self._library is None:
            raise DeviceError("The session is closed.")
        array = ids_array(ids)
        told = length_or(length, array)
        # As on a device: room for the maximum length, whatever length the model is told.
        buffer = np.zeros(max(len(array), self._info.max_length), np.int32)
        buffer[: len(array)] = array
        sizes = [pool.size for pool in self._pools]
        if arena_size is not None:
            sizes[0] = arena_size
        answer = self._call(buffer, told, sizes)
        self._check_guards()
        return answer

    def _call(self, buffer: npt.NDArray[np.int32], length: int, sizes: Sequence[int]) -> Answer:
        logits = np.zeros(self._info.num_outputs, np.int16)
        addresses = [pool.address for pool in self._pools]
        code = self._infer(
            ctypes.c_void_p(buffer.ctypes.data),
            ctypes.c_int32(length),
            ctypes.c_void_p(logits.ctypes.data),
            (ctypes.c_void_p * len(addresses))(*addresses),
            (ctypes.c_size_t * len(sizes))(*sizes),
        )
        return Answer(int(code), logits, None)

    def _check_guards(self) -> None:
        try:
            for pool in self._pools:
                pool.check()
        except DeviceError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the library and the pools; may be called again."""
        self._library = None
        self._pools = []
