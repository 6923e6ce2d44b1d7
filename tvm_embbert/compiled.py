"""A compiled model on disk: run it on this machine, on its target, or as the integer reference."""

from __future__ import annotations

import json
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any

from tvm_embbert import compat
from tvm_embbert.codegen.names import Names
from tvm_embbert.errors import InputError
from tvm_embbert.folder import MARKER
from tvm_embbert.measure import (
    Answer,
    BoardSession,
    Flasher,
    HostSession,
    Image,
    ModelSources,
    Session,
    build_image,
    build_library,
    open_board,
    open_session,
)
from tvm_embbert.measure.image import image_stem
from tvm_embbert.measure.wiring import require_serial, with_baud
from tvm_embbert.models.checkpoint import WEIGHTS, Model, load_model
from tvm_embbert.quantize.integer_module import IntegerModule
from tvm_embbert.report.write import write_report
from tvm_embbert.target import Target
from tvm_embbert.target_json import target_from_json

LIBRARY = "library"
MODEL_FILES = ("config.json", "tokenizer.json", "labels.txt", "calibration.txt", *WEIGHTS)


class CompiledModel:
    """A folder that :func:`tvm_embbert.build` wrote.

    Attributes
    ----------
    folder : Path
        The folder.
    report : dict
        The contents of ``report.json``.
    target : Target
        The device that it was compiled for.
    """

    def __init__(self, folder: Path | str) -> None:
        """Open the folder; raise :class:`InputError` if it holds no compiled model."""
        self.folder = Path(folder)
        self._metadata = _read_json(self.folder / MARKER)
        self.report: dict[str, Any] = _read_json(self.folder / "report.json")
        try:
            self._names = Names(self._metadata["name"])
            self.target: Target = target_from_json(self._metadata["target"], self.folder / MARKER)
        except (KeyError, TypeError) as error:
            raise _damaged(self.folder / MARKER, error) from error

    @property
    def labels(self) -> list[str]:
        """Return the names of the logits."""
        return list(self.report["model"]["labels"])

    @property
    def max_length(self) -> int:
        """Return the longest input, in tokens."""
        return int(self.report["max_length"])

    @property
    def logit_scale(self) -> float:
        """Return the real value of one unit of the logits."""
        return float(self.report["model"]["logit_scale"])

    @property
    def debug(self) -> bool:
        """Return whether it was built to check itself; see :func:`tvm_embbert.build`."""
        return bool(self.report["debug"])

    @cached_property
    def reference(self) -> IntegerModule:
        """Return the integer module: the reference that the image must equal."""
        path = self.folder / "integer.json"
        try:
            module = compat.from_json(path.read_text(encoding="utf-8"))
        except Exception as error:
            raise _damaged(path, error) from error
        return IntegerModule(module, self._metadata["scales"], self._metadata["pad_token"])

    @cached_property
    def model(self) -> Model:
        """Return the float model and its tokenizer, where they were kept."""
        if not self._metadata["has_model"]:
            raise InputError(
                "The compiled model was built without its float model and tokenizer.",
                where=str(self.folder),
                hint="Give token ids, or pass `model` to build.",
            )
        return load_model(self.folder / "model")

    def run(self, ids: Any) -> Answer:
        """Run the emitted C on this machine, whatever the target; returns code and logits.

        Parameters
        ----------
        ids : sequence of int
            Token ids.
        """
        return self._on_this_machine.infer(ids)

    def session(self, timeout_s: float = 120.0) -> Session:
        """Start the image on its target's runner (a context manager); the host runs the library."""
        if self.target.core.toolchain == "host":
            return open_session(self.folder / "host" / f"lib{self._names.model}.so", timeout_s)
        return open_session(self._image(), timeout_s)

    def board_session(
        self, port: str = "", baud: int | None = None, timeout_s: float = 120.0
    ) -> BoardSession:
        """Run the model on a board at a serial port (a context manager).

        Its image is written to the folder ``board``. Where the device's file names RAM for it, the
        monitor on the board loads it; else it must be in the board's flash. What is not there is
        flashed, where the file has a command for that.

        Parameters
        ----------
        port : str
            The serial port; else that of the device's file.
        baud : int, optional
            Bits in a second; else those of the device's file.
        timeout_s : float
            Seconds that each request may take.

        Raises
        ------
        TargetError
            If the device's file has no ``[serial]`` table.
        DeviceError
            If the board does not answer, or runs something else and cannot be flashed from here.
        ToolchainError
            If the image cannot be built, or flashing fails.
        """
        serial = require_serial(self.target)
        link = "load" if serial.load_ram else "serial"
        sources, target = library_sources(self.folder, self._names), with_baud(self.target, baud)
        image = build_image(sources, target, self.folder / "board", debug=self.debug, link=link)
        flasher = Flasher(serial.flash, port or serial.port) if serial.flash else None
        return open_board(image, port, baud, timeout_s, flasher)

    def _image(self) -> Image:
        name = image_stem(self._names.model, self.target.name, debug=self.debug)
        elf, map_file = (self.folder / "image" / f"{name}.{ending}" for ending in ("elf", "map"))
        stack = int(self.report["memory"]["ram"]["stack"])
        return Image(elf, map_file, self.target, self._names.model, stack, debug=self.debug)

    def update_report(self, **fields: Any) -> None:
        """Set fields of the report, on disk as well, in both its forms."""
        self.report.update(fields)
        write_report(self.folder, self.report)

    @cached_property
    def _on_this_machine(self) -> HostSession:
        self._build = tempfile.TemporaryDirectory(prefix="tvm-embbert-")
        sources = library_sources(self.folder, self._names)
        return HostSession(build_library(sources, Path(self._build.name), self.debug))


def library_sources(folder: Path, names: Names) -> ModelSources:
    """Return the C sources in a compiled model's folder."""
    sources = tuple(sorted((folder / LIBRARY / "src").glob("*.c")))
    return ModelSources(names.model, sources, folder / LIBRARY / "include")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            "There is no compiled model in the folder.",
            where=str(path.parent),
            supported="a folder that `tvm-embbert compile` wrote",
        ) from error
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error
    if not isinstance(content, dict):
        raise _damaged(path, TypeError("not an object"))
    return content


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(
        "The compiled model is damaged.",
        where=f"{path}: {str(error)[:200]}",
        hint="Compile it again.",
    )
