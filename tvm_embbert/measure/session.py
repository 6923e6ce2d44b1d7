"""What all ways to run a compiled model have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from tvm_embbert.errors import UsageError

Ids = Sequence[int] | npt.NDArray[np.integer]
"""Token ids of one sentence."""

_INT32 = np.iinfo(np.int32)


@dataclass(frozen=True)
class Answer:
    """What a model answered to one sentence.

    ``code`` is 0, or a negative error of the model; then ``logits`` are zeros. ``instructions`` or
    ``cycles`` is the count of the whole call; None what the device does not count, or cannot.
    """

    code: int
    logits: npt.NDArray[np.int16]
    instructions: int | None
    cycles: int | None = None


@dataclass(frozen=True)
class ModelInfo:
    """Sizes of a running model: tokens, outputs and bytes of its arena."""

    max_length: int
    num_outputs: int
    arena_size: int


class Session(ABC):
    """A model that is ready to answer; a context manager that frees it at the end."""

    @property
    @abstractmethod
    def info(self) -> ModelInfo:
        """Sizes of the model."""

    @abstractmethod
    def infer(self, ids: Ids, *, length: int | None = None) -> Answer:
        """Run the model on one sentence.

        Parameters
        ----------
        ids
            Token ids, each within 32 bits.
        length
            Length to tell the model, if another than the number of ids.

        Raises
        ------
        UsageError
            If the ids are no whole numbers of 32 bits.
        DeviceError
            If the model crashed, or did not answer in time.
        """

    @abstractmethod
    def close(self) -> None:
        """Free everything; may be called again."""

    def __enter__(self) -> Self:
        """Return the session itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the session."""
        self.close()


def ids_array(ids: Ids) -> npt.NDArray[np.int32]:
    """Return the ids as a contiguous array of 32 bits; raise :class:`UsageError` if they are not.

    Any number of ids is taken: the model itself must refuse a wrong one.
    """
    array = np.asarray(ids)
    if array.size == 0:
        return np.zeros(0, np.int32)
    whole = array.ndim == 1 and array.dtype.kind in "iu"
    if not whole or array.min() < _INT32.min or array.max() > _INT32.max:
        raise UsageError(
            "The token ids are not a list of whole numbers of 32 bits.",
            where=f"an array of shape {array.shape} and type {array.dtype}",
            supported=f"a flat list of whole numbers from {_INT32.min} to {_INT32.max}",
        )
    return np.ascontiguousarray(array, dtype=np.int32)


def length_or(length: int | None, ids: npt.NDArray[np.int32]) -> int:
    """Return the length to tell the model; raise :class:`UsageError` if it exceeds 32 bits."""
    told = len(ids) if length is None else length
    if not _INT32.min <= told <= _INT32.max:
        raise UsageError(f"The length {told} exceeds 32 bits.", where="length")
    return told
