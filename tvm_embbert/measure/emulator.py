"""Answers of a model in an emulated board, and the instructions that they take."""

from __future__ import annotations

from tvm_embbert.measure.harness_session import DEFAULT_TIMEOUT_S, HarnessSession
from tvm_embbert.measure.image import Image
from tvm_embbert.measure.protocol import Result
from tvm_embbert.measure.qemu import Qemu
from tvm_embbert.measure.session import Answer
from tvm_embbert.measure.wiring import require_emulator
from tvm_embbert.target import Emulator

_NANOSECONDS = 10**9


def instructions_of(emulator: Emulator, ticks: int) -> int:
    """Return how many instructions pass during some ticks of the counter, rounded."""
    ticks_per_1e9 = emulator.counter_hz << emulator.icount_shift
    return (ticks * _NANOSECONDS + ticks_per_1e9 // 2) // ticks_per_1e9


class EmulatorSession(HarnessSession):
    """An image in a running QEMU, ready to answer any number of requests.

    QEMU and its temporary folder end with the session: close it, or use ``with``. A session whose
    image crashed or hung is closed.
    """

    def __init__(self, image: Image, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        """Start QEMU and wait until the image answers.

        Parameters
        ----------
        timeout_s
            Seconds that the start and each request may take.

        Raises
        ------
        ToolchainError
            If QEMU is not installed, or the image is missing.
        DeviceError
            If the image does not start.
        """
        self._emulator = require_emulator(image.target)
        super().__init__(image, Qemu(self._emulator, image.elf), timeout_s)

    def _answer(self, result: Result) -> Answer:
        return Answer(result.code, result.logits, instructions_of(self._emulator, result.ticks))

    def _counts(self, ticks: list[int]) -> list[int]:
        return [instructions_of(self._emulator, one) for one in ticks]
