"""Running a compiled model on this machine, as a shared library through ctypes."""

from __future__ import annotations

import ctypes
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tvm_embbert.errors import DeviceError, ToolchainError
from tvm_embbert.measure.session import Answer, Ids, ModelInfo, Session, ids_array, length_or
from tvm_embbert.measure.sources import RUNTIME, ModelSources, write_model_header
from tvm_embbert.measure.toolchain import compile_sources, host_compiler, link


def build_library(model: ModelSources, out: Path) -> Path:
    """Compile a model into ``<out>/lib<name>.so`` with this machine's compiler.

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
        include = [f"-I{model.include.resolve()}", "-I."]
        objects = compile_sources(compiler, model.sources, build, "model", include)
        shim = [RUNTIME / "host_shim.c"]
        objects += compile_sources(compiler, shim, build, "harness", include)
        link(compiler, objects, build, ["-shared", "-o", "library.so"])
        # A rename gives a new file, so a process that holds an older library keeps it whole.
        (build / "library.so").replace(library)
    return library


class HostSession(Session):
    """A model's shared library, ready to answer.

    The model runs inside this process: if it crashes, so does the process, and a hang is not
    noticed. Models that are not trusted belong in the emulator.
    """

    def __init__(self, library: Path) -> None:
        """Load the library; raise :class:`ToolchainError` if it is not one of ours."""
        try:
            self._library: ctypes.CDLL | None = ctypes.CDLL(str(library.resolve()))
            self._infer = self._library.harness_host_infer
            self._sizes = self._library.harness_host_info
        except (OSError, AttributeError) as error:
            raise ToolchainError(
                f"The library of the model could not be loaded: {error}",
                where=str(library),
                hint="Build it again with build_library.",
            ) from error
        self._infer.restype = ctypes.c_int32
        self._info, alignment = self._read_info()
        self._arena = _aligned_bytes(self._info.arena_size, alignment)

    def _read_info(self) -> tuple[ModelInfo, int]:
        sizes = (ctypes.c_uint32 * 4)()
        self._sizes(sizes)
        max_length, num_outputs, arena_size, alignment = sizes
        return ModelInfo(max_length, num_outputs, arena_size), alignment

    @property
    def info(self) -> ModelInfo:
        """Sizes of the model."""
        return self._info

    def infer(
        self, ids: Ids, *, length: int | None = None, arena_size: int | None = None
    ) -> Answer:
        """Run the model on one sentence; see :class:`tvm_embbert.measure.session.Session`.

        ``arena_size`` is what the model is told, in bytes, if another than the arena's real size.
        """
        if self._library is None:
            raise DeviceError("The session is closed.")
        array = ids_array(ids)
        told = length_or(length, array)
        # As on a device: room for the maximum length, whatever length the model is told.
        buffer = np.zeros(max(len(array), self._info.max_length), np.int32)
        buffer[: len(array)] = array
        return self._call(buffer, told, self._info.arena_size if arena_size is None else arena_size)

    def _call(self, buffer: npt.NDArray[np.int32], length: int, arena_size: int) -> Answer:
        logits = np.zeros(self._info.num_outputs, np.int16)
        code = self._infer(
            ctypes.c_void_p(buffer.ctypes.data),
            ctypes.c_int32(length),
            ctypes.c_void_p(logits.ctypes.data),
            ctypes.c_void_p(self._arena.ctypes.data),
            ctypes.c_size_t(arena_size),
        )
        return Answer(int(code), logits, None)

    def close(self) -> None:
        """Let go of the library and the arena; may be called again."""
        self._library = None
        self._arena = np.zeros(0, np.uint8)


def _aligned_bytes(size: int, alignment: int) -> npt.NDArray[np.uint8]:
    whole = np.zeros(size + alignment, np.uint8)
    start = -whole.ctypes.data % alignment
    return whole[start : start + size]
