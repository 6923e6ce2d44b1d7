"""A session with the validation program of a project, over the project's transport."""

from __future__ import annotations

from tvm_embbert.errors import DeviceError
from tvm_embbert.measure.board_channel import BoardChannel
from tvm_embbert.measure.emulator import instructions_of
from tvm_embbert.measure.harness_session import HarnessSession
from tvm_embbert.measure.image import Image
from tvm_embbert.measure.packet import Hello
from tvm_embbert.measure.protocol import Result
from tvm_embbert.measure.session import Answer
from tvm_embbert.project.api import IoTimeoutError, ProjectHandler, TransportClosedError
from tvm_embbert.project.archive import ModelArchive
from tvm_embbert.project.device import Device

_WAIT_S = 0.02
_WRITE_S = 5.0
_CHUNK = 4096


class TransportLine:
    """A project's transport as the line that packets go over."""

    def __init__(self, handler: ProjectHandler, name: str, baud: int) -> None:
        self.name, self.baud = name, baud
        self._handler = handler

    def write(self, data: bytes) -> None:
        """Send all bytes."""
        try:
            self._handler.write_transport(data, _WRITE_S)
        except (IoTimeoutError, TransportClosedError) as error:
            raise DeviceError(f"The device does not listen: {error}.", where=self.name) from error

    def read(self) -> bytes:
        """Return what came."""
        try:
            return self._handler.read_transport(_CHUNK, _WAIT_S)
        except IoTimeoutError:
            return b""
        except TransportClosedError as error:
            raise DeviceError(f"The device is gone: {error}.", where=self.name) from error

    def close(self) -> None:
        """Close the transport."""
        self._handler.close_transport()


class ProjectSession(HarnessSession):
    """The validation program, ready to answer.

    Parameters
    ----------
    handler : ProjectHandler
        With an open transport to the program.
    device : Device
        What it runs on.
    timeout_s : float
        Seconds that each request may take.

    Raises
    ------
    DeviceError
        The device does not answer, or runs another program.
    """

    def __init__(self, handler: ProjectHandler, device: Device, timeout_s: float) -> None:
        archive, self.unit = device.archive, device.unit
        self._emulator = archive.target.core.emulator
        elf = device.image or archive.path
        channel = BoardChannel(TransportLine(handler, device.port or str(elf), device.baud))
        try:
            _require_image(archive, channel.begin(timeout_s), str(elf))
        except BaseException:
            channel.close()
            raise
        image = Image(elf, elf.with_suffix(".map"), archive.target, archive.names.model, 0)
        super().__init__(image, channel, timeout_s)

    def _answer(self, result: Result) -> Answer:
        # A counter that stands still counts nothing: QEMU's Arm boards have no cycles.
        count = self._counts([result.ticks])[0] or None
        instructions = count if self.unit == "instructions" else None
        cycles = count if self.unit == "cycles" else None
        return Answer(result.code, result.logits, instructions, cycles)

    def _counts(self, ticks: list[int]) -> list[int]:
        if self.unit == "instructions" and self._emulator is not None:
            return [instructions_of(self._emulator, one) for one in ticks]
        return ticks


def _require_image(archive: ModelArchive, hello: Hello, where: str) -> None:
    if hello.image != archive.number:
        raise DeviceError(
            "The device runs another model, or another program.",
            where=where,
            supported=f"image {archive.number:#010x}, not {hello.image:#010x}",
            hint="Build the project and flash its program `validation`.",
        )
