"""A memory of the device that buffers may be placed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tvm_embbert.target import Target


@dataclass(frozen=True)
class Space:
    """One memory, as planning sees it.

    Attributes
    ----------
    name : str
        Of the pool, a C identifier.
    limit : int or None
        Bytes that there are; None where that does not matter.
    latency : int
        Cycles that an access takes, relative to the other spaces.
    reach : tuple of str
        Bus masters that reach it: ``cpu``, ``dma``, ``npu``.
    """

    name: str
    limit: int | None = None
    latency: int = 1
    reach: tuple[str, ...] = ("cpu", "dma", "npu")


ONE_SPACE = (Space("sram"),)
"""A single memory without a limit."""


def spaces_of(target: Target, limits: Mapping[str, int] | None = None) -> tuple[Space, ...]:
    """Return the memories of a device that buffers may be placed in, the fastest first.

    Parameters
    ----------
    target : Target
        The device.
    limits : mapping, optional
        Bytes by pool. Where they are not given, all but the last pool end where their memory does,
        and the last takes what is left, for the budget to judge.
    """
    if limits is not None:
        return tuple(Space(p.name, limits[p.name], p.latency, p.reach) for p in target.pools)
    *fast, last = target.pools
    spaces = [Space(p.name, p.size, p.latency, p.reach) for p in fast]
    return (*spaces, Space(last.name, None, last.latency, last.reach))
