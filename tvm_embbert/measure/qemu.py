"""A QEMU process with an image in it, and the exchange of frames with the image."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from pathlib import Path

from tvm_embbert import children
from tvm_embbert.errors import DeviceError, ToolchainError
from tvm_embbert.measure.fifo import ChildDiedError, FifoPair, SilenceError
from tvm_embbert.measure.protocol import HEADER, FrameType, pack, unpack_header
from tvm_embbert.measure.toolchain import find_program
from tvm_embbert.target import Emulator

_QUIT_S = 2.0
_SHOWN_LINES = 10

_PACKAGES = {"qemu-system-riscv32": "qemu-system-misc"}
"""Debian's packages of emulators that are not named like the program."""


def command_line(emulator: Emulator, elf: Path, serial: str = "none") -> list[str]:
    """Return QEMU's command; raise :class:`ToolchainError` if it is not installed.

    ``serial`` is where the board's first UART leads, as QEMU's option takes it.
    """
    package = _PACKAGES.get(emulator.program, emulator.program)
    program = find_program(emulator.program, f"QEMU (Debian: {package})")
    core = ["-cpu", emulator.cpu] if emulator.cpu else []
    board = ["-machine", emulator.machine, *core, "-icount", f"shift={emulator.icount_shift}"]
    semihosting = ["-semihosting-config", "enable=on,target=native"]
    quiet = ["-display", "none", "-serial", serial, "-monitor", "none"]
    # The image is all that runs, without a firmware of QEMU's own in front of it.
    return [program, *board, *semihosting, *quiet, "-bios", "none", "-kernel", str(elf)]


class Qemu:
    """QEMU running an image, in a temporary folder with the pipes to it."""

    def __init__(self, emulator: Emulator, elf: Path) -> None:
        """Start QEMU.

        Raises
        ------
        ToolchainError
            If QEMU is not installed, or the image is missing.
        DeviceError
            If the pipes cannot be made.
        """
        self._where = f"{elf} on {emulator.machine}"
        command = command_line(emulator, elf.resolve())
        if not elf.is_file():
            raise ToolchainError("The image is missing.", where=str(elf), hint="Build it again.")
        with contextlib.ExitStack() as stack:
            folder = tempfile.TemporaryDirectory(prefix="embbert-", ignore_cleanup_errors=True)
            self._folder = Path(stack.enter_context(folder))
            self._pipes = FifoPair(self._folder)
            stack.callback(self._pipes.close)
            self._child = _spawn(command, self._folder)
            stack.callback(self._kill)
            # Only now, with everything in place, do the resources outlive this function.
            self._resources = stack.pop_all()

    def exchange(self, request: bytes, timeout_s: float) -> tuple[FrameType, bytes]:
        """Send a frame and return type and payload of the answer.

        Raises
        ------
        DeviceError
            If the image hung, the emulator ended, or the answer is no frame. The stream may then
            be out of step: close it.
        """
        deadline = time.monotonic() + timeout_s
        try:
            self._pipes.send(request, self._child, deadline)
            header = self._pipes.receive(HEADER.size, self._child, deadline)
            kind, size = unpack_header(header)
            return kind, self._pipes.receive(size, self._child, deadline)
        except SilenceError as error:
            raise self._hang(timeout_s) from error
        except ChildDiedError as error:
            raise self._early_exit() from error

    def quit(self) -> None:
        """Ask the image to end; one that does not is left to :meth:`close`."""
        with contextlib.suppress(DeviceError):
            self.exchange(pack(FrameType.QUIT), _QUIT_S)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(_QUIT_S)

    def close(self) -> None:
        """Kill QEMU if it still runs and remove its folder; may be called again."""
        self._resources.close()

    def _kill(self) -> None:
        # Not terminate(): while the image waits for a request, QEMU does not heed that signal.
        children.end(self._child)

    def _hang(self, timeout_s: float) -> DeviceError:
        return DeviceError(
            f"The image hung: it did not answer within {timeout_s:g} s.",
            where=self._where,
            hint="Raise the time-out if the model is merely slow.",
        )

    def _early_exit(self) -> DeviceError:
        text = (self._folder / "stderr").read_text(encoding="utf-8", errors="replace")
        lines = text.strip().splitlines()[:_SHOWN_LINES] or ["(it printed nothing)"]
        shown = "\n".join(f"    {line}" for line in lines)
        return DeviceError(
            f"The emulator ended early with status {self._child.returncode}:\n{shown}",
            where=self._where,
            hint="Check machine and memory regions in the core's file.",
        )


def _spawn(command: list[str], folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "stderr").open("wb") as errors:
        try:
            options = {"stdin": subprocess.DEVNULL, "stdout": errors, "stderr": errors}
            return children.start(command, cwd=folder, **options)
        except OSError as error:
            raise ToolchainError(
                f"The emulator could not be started: {error.strerror}.", where=command[0]
            ) from error
