"""What a bad serial line does to frames, always the same for a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass
class Harm:
    """Damages, drops or delays a share of the frames, and puts garbage between them."""

    share: float = 0.0
    seed: int = 0
    delay_s: float = 0.15
    harmed: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def apply(self, frame: bytes) -> list[tuple[float, bytes]]:
        """Return what goes on in place of a frame: seconds of delay, and bytes."""
        if self._random.random() >= self.share:
            return [(0.0, frame)]
        self.harmed += 1
        kind = self._random.choice(["damage", "drop", "delay", "garbage", "cut", "twice"])
        if kind == "damage":
            where = self._random.randrange(len(frame))
            changed = bytes([frame[where] ^ self._random.randrange(1, 256)])
            return [(0.0, frame[:where] + changed + frame[where + 1 :])]
        if kind == "garbage":
            noise = self._random.randbytes(self._random.randrange(1, 400))
            return [(0.0, noise), (0.0, frame)]
        if kind == "cut":
            return [(0.0, frame[: self._random.randrange(len(frame))])]
        if kind == "twice":
            return [(0.0, frame), (0.0, frame)]
        return [(self.delay_s, frame)] if kind == "delay" else []
