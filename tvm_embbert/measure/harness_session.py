"""Sessions with the harness on a device, whatever carries the frames."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Iterator
from typing import Protocol

from tvm_embbert.errors import DeviceError, ToolchainError, UsageError
from tvm_embbert.measure.cross import CROSS_TOOLCHAINS
from tvm_embbert.measure.faults import fault_error
from tvm_embbert.measure.image import Image
from tvm_embbert.measure.map_file import read_map
from tvm_embbert.measure.protocol import (
    MARK_SAMPLES,
    FrameType,
    Result,
    error_of,
    pack,
    pack_select,
    pack_sentence,
    unpack_info,
    unpack_result,
    unpack_stack,
)
from tvm_embbert.measure.session import Answer, Ids, ModelInfo, Session, ids_array, length_or

DEFAULT_TIMEOUT_S = 120.0
"""Seconds that one request may take, unless asked otherwise."""


class Channel(Protocol):
    """What carries frames to an image and back."""

    def exchange(self, request: bytes, timeout_s: float) -> tuple[FrameType, bytes]:
        """Send a frame and return type and payload of the answer, or raise DeviceError."""

    def quit(self) -> None:
        """Ask the image to end."""

    def close(self) -> None:
        """Free everything; may be called again."""


def step_ticks(result: Result) -> list[int]:
    """Return the ticks of all runs of each step, without those of the marks themselves."""
    return [max(0, s.ticks - _rounded(s.marks * result.mark_ticks)) for s in result.steps]


def _rounded(ticks_of_samples: int) -> int:
    return (ticks_of_samples + MARK_SAMPLES // 2) // MARK_SAMPLES


class HarnessSession(Session):
    """An image that serves requests, ready for any number of them.

    A session whose image crashed or hung is closed.
    """

    def __init__(self, image: Image, channel: Channel, timeout_s: float) -> None:
        """Ask the image for its sizes; raise :class:`DeviceError` if it does not answer."""
        self._image = image
        self._timeout_s = timeout_s
        self._channel: Channel | None = channel
        with self._closed_on_error():
            self._harness = unpack_info(self._ask(FrameType.INFO, pack(FrameType.INFO)))

    @property
    def info(self) -> ModelInfo:
        """Sizes of the model."""
        harness = self._harness
        return ModelInfo(harness.max_length, harness.num_outputs, harness.arena_size)

    @property
    def stack_size(self) -> int:
        """Bytes of the image's stack."""
        return self._harness.stack_size

    @abstractmethod
    def _answer(self, result: Result) -> Answer:
        """Return the answer with what the counter's ticks mean."""

    @abstractmethod
    def _counts(self, ticks: list[int]) -> list[int]:
        """Return what some ticks of the counter mean."""

    def infer(self, ids: Ids, *, length: int | None = None) -> Answer:
        """Run the model on one sentence; see :class:`tvm_embbert.measure.session.Session`.

        Ids beyond the maximum length are dropped, but the model is told the real length. The
        count is that of the call to the model, within a few.
        """
        return self._answer(self._run(FrameType.INFER, ids, length))

    def profile(self, ids: Ids) -> list[int]:
        """Return the instructions, or cycles, of each step of the model for one sentence.

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
        return self._counts(step_ticks(result))

    def select(self, candidate: int) -> None:
        """Let another candidate of the image answer from now on; at first it is 0.

        Raises
        ------
        UsageError
            If the image has no such candidate.
        DeviceError
            If the image does not answer in time.
        """
        names = self._image.candidates
        if not 0 <= candidate < len(names):
            raise UsageError(
                f"The image has no candidate {candidate}.",
                where=str(self._image.elf),
                supported=f"0 to {len(names) - 1}: {', '.join(names)}",
                hint="Build the image with build_image(..., others=...).",
            )
        if len(names) > 1:
            self._ask(FrameType.SELECT, pack_select(candidate))

    def stack_used(self) -> int:
        """Return the most bytes of stack in use at any time so far, the harness's own included."""
        return unpack_stack(self._ask(FrameType.STACK, pack(FrameType.STACK)))

    def close(self) -> None:
        """End the image, where it can end, and free everything; may be called again."""
        channel, self._channel = self._channel, None
        if channel is not None:
            with contextlib.closing(channel):
                channel.quit()

    def _run(self, kind: FrameType, ids: Ids, length: int | None) -> Result:
        array = ids_array(ids)
        told = length_or(length, array)
        request = pack_sentence(kind, array[: self._harness.max_length], told)
        return unpack_result(self._ask(kind, request))

    def _ask(self, kind: FrameType, request: bytes) -> bytes:
        if self._channel is None:
            raise DeviceError("The session is closed.", hint="Open a new session.")
        with self._closed_on_error():
            answer, payload = self._channel.exchange(request, self._timeout_s)
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
            if self._channel is not None:
                self._channel.close()
                self._channel = None
            raise
