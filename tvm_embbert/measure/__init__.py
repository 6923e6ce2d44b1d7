"""Building a compiled model for this machine or a board, emulated or not, and measuring it."""

from __future__ import annotations

from pathlib import Path

from tvm_embbert.measure.board import BoardSession, open_board
from tvm_embbert.measure.emulator import EmulatorSession
from tvm_embbert.measure.flashing import Flasher
from tvm_embbert.measure.harness_session import DEFAULT_TIMEOUT_S
from tvm_embbert.measure.host import HostSession, build_library
from tvm_embbert.measure.image import Image, build_image
from tvm_embbert.measure.map_file import FlashUse, MapUse, RamUse, memory_use
from tvm_embbert.measure.monitor import build_monitor
from tvm_embbert.measure.session import Answer, Ids, ModelInfo, Session
from tvm_embbert.measure.sources import ModelSources
from tvm_embbert.measure.stack_usage import StackBound

__all__ = [
    "DEFAULT_TIMEOUT_S",
    "Answer",
    "BoardSession",
    "EmulatorSession",
    "FlashUse",
    "Flasher",
    "HostSession",
    "Ids",
    "Image",
    "MapUse",
    "ModelInfo",
    "ModelSources",
    "RamUse",
    "Session",
    "StackBound",
    "build_image",
    "build_library",
    "build_monitor",
    "memory_use",
    "open_board",
    "open_session",
]


def open_session(built: Image | Path, timeout_s: float = DEFAULT_TIMEOUT_S) -> Session:
    """Open a session with an image (in the emulator) or with a library (on this machine).

    Parameters
    ----------
    built
        What :func:`build_image` or :func:`build_library` returned.
    timeout_s
        Seconds that one request to an image may take; a library is not watched.

    Raises
    ------
    ToolchainError
        If the emulator is missing, or the library cannot be loaded.
    DeviceError
        If the image does not start.
    """
    return EmulatorSession(built, timeout_s) if isinstance(built, Image) else HostSession(built)
