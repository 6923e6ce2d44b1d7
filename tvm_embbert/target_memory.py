"""The memories of a device, and the pools that the arena may be split over.

All sizes are in bytes. A pool is a memory as the planner sees it: named as in C, and in the order
of preference, the fastest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tvm_embbert.codegen.names import c_name
from tvm_embbert.errors import TargetError
from tvm_embbert.target_checks import nearest, require_at_least, require_name, require_one_of

ACCESSES = ("rw", "rx")
"""Kinds of memory: RAM that is read and written, flash that is read and executed."""

MASTERS = ("cpu", "dma", "npu")
"""Bus masters: the core, the DMA controllers that serve peripherals, a neural accelerator."""

ONE_POOL = "sram"
"""Name of the pool of a device whose file names none."""


@dataclass(frozen=True)
class Memory:
    """One contiguous memory: ``size`` in bytes, ``access`` "rw" (RAM) or "rx" (flash).

    ``latency`` is how many of the core's cycles an access to a word takes, relative to the
    device's other memories (1: as fast as the core); ``reach`` names the bus masters that reach it.
    """

    name: str
    size: int
    access: str
    latency: int = 1
    reach: tuple[str, ...] = ("cpu", "dma")

    def __post_init__(self) -> None:
        """Raise :class:`TargetError` for a bad name, size, access, latency or reach."""
        require_name(self.name)
        require_at_least("size", self.size, 1)
        require_one_of("access", self.access, ACCESSES)
        require_at_least("latency", self.latency, 1)
        for master in self.reach:
            require_one_of("reach", master, MASTERS)
        if "cpu" not in self.reach or len(set(self.reach)) != len(self.reach):
            raise TargetError(
                f"The reach {list(self.reach)} lacks 'cpu', or repeats a bus master.",
                where="reach",
                supported=f"'cpu', and any of the others once: {', '.join(MASTERS)}",
                hint='For example reach = ["cpu", "dma"], or leave it out.',
            )


@dataclass(frozen=True)
class Pool:
    """A memory that may hold part of the arena.

    ``name`` is a C identifier, ``memory`` the memory's own name, ``size`` all of its bytes;
    ``latency`` and ``reach`` are the memory's.
    """

    name: str
    memory: str
    size: int
    latency: int
    reach: tuple[str, ...]


def arena_pools(memories: Sequence[Memory], arena: Sequence[str], system: str) -> tuple[Pool, ...]:
    """Return the pools, the fastest first.

    Parameters
    ----------
    memories : sequence of Memory
        All of the device's.
    arena : sequence of str
        Names of the memories that the arena may be split over. Without any there is one pool,
        ``sram``, in the memory `system`, else in the largest "rw" memory.
    system : str
        Name of the memory of stack and static data, or the empty string.

    Raises
    ------
    TargetError
        A memory is unknown, no RAM or named twice, or stands before a faster one.
    """
    if not arena:
        alone = writable(memories, system, "arena.system") if system else None
        return (_pool(ONE_POOL, alone or largest_memory(memories, "rw")),)
    chosen = [writable(memories, name, "arena.pools") for name in arena]
    pools = tuple(_pool(_identifier(memory.name), memory) for memory in chosen)
    _require_distinct(pools)
    for pool, following in pairwise(pools):
        _require_order(pool, following)
    return pools


def largest_memory(memories: Sequence[Memory], access: str) -> Memory:
    """Return the largest memory of that access; raise :class:`TargetError` if there is none."""
    fitting = [memory for memory in memories if memory.access == access]
    if not fitting:
        kind = "RAM" if access == "rw" else "flash"
        raise TargetError(
            f"The device has no {kind}: no memory has access {access!r}.",
            where="memory",
            supported='at least one memory with access "rw" (RAM) and one with "rx" (flash)',
            hint=f'Add a table such as [memory.{kind.lower()}] with size and access = "{access}".',
        )
    return max(fitting, key=lambda memory: memory.size)


def named_memory(memories: Sequence[Memory], name: str, key: str) -> Memory:
    """Return the memory of that name; raise :class:`TargetError` for `key` if there is none."""
    known = {memory.name: memory for memory in memories}
    if name not in known:
        raise TargetError(
            f"The device has no memory {name!r}.",
            where=key,
            supported=f"the device's memories: {', '.join(known)}",
            hint=nearest(name, known) or f"Describe it in a table [memory.{name}].",
        )
    return known[name]


def writable(memories: Sequence[Memory], name: str, key: str) -> Memory:
    """Return the RAM of that name; raise :class:`TargetError` for `key` if there is none."""
    memory = named_memory(memories, name, key)
    if memory.access != "rw":
        raise TargetError(
            f"Memory {name!r} is not written at run time: its access is {memory.access!r}.",
            where=key,
            supported=f'memories with access "rw": {", ".join(_names(memories, "rw"))}',
            hint=f"Take {name!r} away, or correct memory.{name}.access.",
        )
    return memory


def _names(memories: Sequence[Memory], access: str) -> list[str]:
    return [memory.name for memory in memories if memory.access == access]


def _pool(name: str, memory: Memory) -> Pool:
    return Pool(name, memory.name, memory.size, memory.latency, memory.reach)


def _identifier(name: str) -> str:
    if name[0].isdigit():
        raise TargetError(
            f"The pool's name {name!r} begins with a digit, as no name in C does.",
            where="arena.pools",
            supported="names that begin with a letter",
            hint=f"Rename the memory, for example to 'ram{name}'.",
        )
    return c_name(name)


def _require_distinct(pools: Sequence[Pool]) -> None:
    names = [pool.name for pool in pools]
    for pool in pools:
        if names.count(pool.name) > 1:
            raise TargetError(
                f"Two pools have the name {pool.name!r} in C.",
                where="arena.pools",
                supported="each memory once, with names that differ in more than '.', '-' and '_'",
                hint=f"Name {pool.memory!r} once, or rename a memory.",
            )


def _require_order(pool: Pool, following: Pool) -> None:
    if following.latency < pool.latency:
        raise TargetError(
            f"Pool {pool.memory!r} of latency {pool.latency} stands before {following.memory!r}, "
            f"which is faster with {following.latency}.",
            where="arena.pools",
            supported="memories in the order of their latency, the fastest first",
            hint=f"Put {following.memory!r} first, or correct the latencies.",
        )
