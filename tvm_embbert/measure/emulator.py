"""Answers of a model in an emulated board, and the instructions that they take."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tvm_embbert.errors import DeviceError, ToolchainError, UsageError
from tvm_embbert.measure.cross import CROSS_TOOLCHAINS
from tvm_embbert.measure.faults import fault_error
from tvm_embbert.measure.image import Image, require_emulator
from tvm_embbert.measure.map_file import read_map
from tvm_embbert.measure.protocol import (
    MARK_SAMPLES,
    FrameType,
    Result,
    error_of,
    pack,
    pack_sentence,
    unpack_info,
    unpack_result,
    unpack_stack,
)
from tvm_embbert.measure.qemu import Qemu
from tvm_embbert.measure.session import Answer, Ids, ModelInfo, Session, ids_array, length_or
from tvm_embbert.target import Emulator

DEFAULT_TIMEOUT_S = 120.0
"""Seconds that one request may take, unless asked otherwise."""

_NANOSECONDS = 10**9


def instructions_of(emulator: Emulator, ticks: int) -> int:
    """Return how many instructions pass during some ticks of the counter, rounded."""
    ticks_per_1e9 = emulator.counter_hz << emulator.icount_shift
    return (ticks * _NANOSECONDS + ticks_per_1e9 // 2) // ticks_per_1e9


def step_ticks(result: Result) -> list[int]:
    """Return the ticks of all runs of each step, without those of the marks themselves."""
    return [max(0, s.ticks - _rounded(s.marks * result.mark_ticks)) for s in result.steps]


def _rounded(ticks_of_samples: int) -> int:
    return (ticks_of_samples + MARK_SAMPLES // 2) // MARK_SAMPLES


class EmulatorSession(Session):
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
        self._image = image
        self._emulator = require_emulator(image.target)
        self._timeout_s = timeout_s
        self._qemu: Qemu | None = Qemu(self._emulator, image.elf)
        with self._closed_on_error():
            self._harness = unpack_info(self._ask(FrameType.INFO, pack(FrameType.INFO)))

    @property
    def info(self) -> ModelInfo:
        """Sizes of the model."""
        harness = self._harness
        return ModelInfo(harness.max_length, harness.num_outputs, harness.arena_size)

    def infer(self, ids: Ids, *, length: int | None = None) -> Answer:
        """Run the model on one sentence; see :class:`tvm_embbert.measure.session.Session`.

        Ids beyond the maximum length are dropped, but the model is told the real length. The
        instructions are those of the call to the model, within a few.
        """
        result = self._run(FrameType.INFER, ids, length)
        return Answer(result.code, result.logits, instructions_of(self._emulator, result.ticks))

    def profile(self, ids: Ids) -> list[int]:
        """Return the instructions of each step of the model for one sentence.

        A step that runs again and again counts with all its runs; the marks themselves are taken
        off, so the sum is that of :meth:`infer` but for what comes before the first step.

        Raises
        ------
        UsageError
            If the image was built without profiling, or the model refuses the sentence.
        DeviceError
            If the model crashed, did not answer in time, or has too many steps.
        """
        if not self._harness.profile:
            hint = "Build the image with build_image(..., profile=True)."
            raise UsageError("The image cannot profile.", where=str(self._image.elf), hint=hint)
        result = self._run(FrameType.PROFILE, ids, None)
        if result.code != 0:
            raise UsageError(f"The model refuses the sentence with code {result.code}.")
        return [instructions_of(self._emulator, ticks) for ticks in step_ticks(result)]

    def stack_used(self) -> int:
        """Return the most bytes of stack in use at any time so far, the harness's own included."""
        return unpack_stack(self._ask(FrameType.STACK, pack(FrameType.STACK)))

    def close(self) -> None:
        """End QEMU and remove its temporary folder; may be called again."""
        qemu, self._qemu = self._qemu, None
        if qemu is not None:
            with contextlib.closing(qemu):
                qemu.quit()

    def _run(self, kind: FrameType, ids: Ids, length: int | None) -> Result:
        array = ids_array(ids)
        told = length_or(length, array)
        return unpack_result(self._ask(kind, self._sentence(kind, array, told)))

    def _sentence(self, kind: FrameType, ids: npt.NDArray[np.int32], told: int) -> bytes:
        return pack_sentence(kind, ids[: self._harness.max_length], told)

    def _ask(self, kind: FrameType, request: bytes) -> bytes:
        if self._qemu is None:
            raise DeviceError("The session is closed.", hint="Open a new session.")
        with self._closed_on_error():
            answer, payload = self._qemu.exchange(request, self._timeout_s)
            if answer is FrameType.FAULT:
                raise self._fault(payload)
            if answer is FrameType.ERROR:
                raise error_of(payload)
            if answer is not kind:
                raise DeviceError(f"The device answered {answer.name} to {kind.name}.")
            return payload

    def _fault(self, payload: bytes) -> DeviceError:
        fault = CROSS_TOOLCHAINS[self._image.target.core.toolchain].unpack_fault(payload)
        function = None
        # The function's name only helps: its lack must not hide the fault.
        with contextlib.suppress(ToolchainError):
            found = read_map(self._image.map_file)
            function = None if fault.pc is None else found.function_at(fault.pc)
        return fault_error(fault, function)

    @contextlib.contextmanager
    def _closed_on_error(self) -> Iterator[None]:
        # After any error, an interrupt by the user too, the stream may be out of step.
        try:
            yield
        except BaseException:
            if self._qemu is not None:
                self._qemu.close()
                self._qemu = None
            raise
