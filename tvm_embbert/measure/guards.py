"""Memory between guards, which tell if a model wrote beside what it was given."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tvm_embbert.errors import DeviceError

GUARD_BYTES = 64
"""Bytes of the guard at either side of a pool, on this machine and in debug images."""

# Differs from byte to byte: neither zeros nor a row of equal values pass for it.
_PATTERN = (np.arange(GUARD_BYTES) * 29 % 256 ^ 0xA5).astype(np.uint8)


class GuardedPool:
    """A pool of a model on this machine: zeros at first, with a guard at either side."""

    def __init__(self, name: str, size: int, alignment: int) -> None:
        """Allocate ``size`` bytes at a multiple of ``alignment`` bytes."""
        self.name, self.size = name, size
        whole: npt.NDArray[np.uint8] = np.zeros(size + 2 * GUARD_BYTES + alignment, np.uint8)
        start = GUARD_BYTES + -(whole.ctypes.data + GUARD_BYTES) % alignment
        self._front = whole[start - GUARD_BYTES : start]
        self._bytes = whole[start : start + size]
        self._behind = whole[start + size : start + size + GUARD_BYTES]
        self._front[:] = self._behind[:] = _PATTERN

    @property
    def address(self) -> int:
        """Address of the pool's first byte."""
        return int(self._front.ctypes.data) + GUARD_BYTES

    def check(self) -> None:
        """Raise :class:`DeviceError` if a byte of a guard has changed."""
        for guard, behind in ((self._front, False), (self._behind, True)):
            if not np.array_equal(guard, _PATTERN):
                raise guard_error(self.name, behind)


def guard_error(name: str, behind: bool) -> DeviceError:
    """Return the error for a guard that was written over.

    Parameters
    ----------
    name
        The pool's name, or "stack".
    behind
        Whether it is the guard behind the memory's end rather than that before its start.
    """
    memory = "the stack" if name == "stack" else f"the memory pool {name!r}"
    side = "behind the end" if behind else "before the start"
    hint = "Build the image with a larger stack."
    if name != "stack":
        hint = "Look for a kernel, or a plan of the memory, that is wrong about a buffer's size."
    return DeviceError(f"The model wrote {side} of {memory}.", where=name, hint=hint)
