"""Signals that end a command: children end at once, temporary folders go, results stay."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Self

from tvm_embbert import children

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_S = 5.0
"""Seconds for clearing up, in which further signals change nothing."""


class Interruptible:
    """A context in which the first signal raises KeyboardInterrupt in the main thread.

    Attributes
    ----------
    signal : int
        The signal that came; 0 if none did.
    """

    def __init__(self) -> None:
        self.signal, self._at = 0, 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        """Take the signals that are not ignored, as they are under nohup."""
        if threading.current_thread() is threading.main_thread():
            taken = (s for s in SIGNALS if signal.getsignal(s) is not signal.SIG_IGN)
            self._before = {s: signal.signal(s, self._on_signal) for s in taken}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the signals back."""
        for number, before in self._before.items():
            signal.signal(number, before)
        children.begin_again()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        # What is waited for are children: with these dead, threads come back by themselves.
        children.end_all()
        if not self.signal:
            self.signal, self._at = number, time.monotonic()
            raise KeyboardInterrupt
        if time.monotonic() - self._at > PATIENCE_S:
            os._exit(128 + number)
