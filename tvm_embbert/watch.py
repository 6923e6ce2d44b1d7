"""Run as a program: kills groups of processes once whoever started it has gone, however it went.

Lines on standard input name groups: ``+123`` one that runs, ``-123`` one that has ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys


def main() -> None:
    """Follow the lines until they end, then kill what still runs."""
    running: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        running.add(group) if line[0] == "+" else running.discard(group)
    for group in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
