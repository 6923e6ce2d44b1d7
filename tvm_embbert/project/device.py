"""The device that a project's programs run on: how bytes get there, and images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tvm_embbert.errors import UsageError
from tvm_embbert.measure.flashing import Flasher
from tvm_embbert.project.archive import ModelArchive
from tvm_embbert.project.template import Template
from tvm_embbert.project.transport import QemuTransport, SerialTransport, Transport
from tvm_embbert.target_serial import DEFAULT_BAUD


@dataclass(frozen=True)
class Device:
    """A project's device.

    Attributes
    ----------
    template : Template
        What the project was made of.
    archive : ModelArchive
        Its model.
    image : Path or None
        What runs, where that is known.
    values : dict
        Those of :func:`tvm_embbert.project.values.template_values`.
    """

    template: Template
    archive: ModelArchive
    image: Path | None
    values: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """Return "qemu", "serial" or "none"; a board may be either of the first two."""
        if self.template.transport != "board":
            return self.template.transport
        return "qemu" if self.values["board"]["emulated"] else "serial"

    @property
    def unit(self) -> str:
        """Return what the validation program counts."""
        return self.template.unit or str(self.values["board"]["unit"])

    @property
    def baud(self) -> int:
        """Return bits in a second: as asked, as the device's file says, or the usual ones."""
        asked, serial = self.values["options"].get("baud"), self.archive.target.serial
        return int(asked or (serial.baud if serial else DEFAULT_BAUD))

    @property
    def port(self) -> str:
        """Return the serial port: the one asked for, or that of the device's file."""
        asked, serial = self.values["options"].get("port"), self.archive.target.serial
        return str(asked or (serial.port if serial else ""))

    def open(self) -> Transport:
        """Start the emulator, or open the serial port.

        Raises
        ------
        UsageError
            The template has no transport, or no port is named.
        """
        if self.kind == "qemu":
            return self._open_qemu()
        if self.kind != "serial":
            raise UsageError(
                f"Projects of the template {self.template.name!r} have no transport.",
                where=self.template.name,
                hint="Use the tools of the template's own world, see the project's README.",
            )
        if not self.port:
            raise UsageError("No serial port is named.", where="--option port=NAME")
        return SerialTransport(self.port, self.baud)

    def _open_qemu(self) -> Transport:
        emulator = self.archive.target.core.emulator
        if emulator is None or self.image is None:
            what = "The model's core has no emulator, or its project no image."
            raise UsageError(what, where=str(self.archive.path))
        return QemuTransport(emulator, self.image)

    def flasher(self) -> Flasher | None:
        """Return what writes images of a bare board by the command of the device's file, if any."""
        serial = self.archive.target.serial
        if self.template.transport != "board" or serial is None or not serial.flash:
            return None
        return Flasher(serial.flash, self.port)
