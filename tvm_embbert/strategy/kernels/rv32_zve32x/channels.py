"""Sums by channels: a block of channels has its sums in registers while rows go by.

Two groups of eight registers hold the sums in 32 bits, a third the products in 16; those of two
rows are added there first. A block is what four registers of bytes hold, t0 its channels.
"""

from __future__ import annotations

from collections.abc import Iterator

PRODUCTS = 16
"""The first register of the products."""


def all_channels(size: str) -> str:
    """Return the step that lets instructions run over half a block, be it in use or not."""
    return f"vsetvli t6, zero, {size}, ta, ma"


def block_channels() -> str:
    """Return the step that lets instructions run over the bytes of the block in use."""
    return "vsetvli zero, t0, e8, m4, ta, ma"


def add_products() -> Iterator[str]:
    """Yield the addition of the products to the sums."""
    yield all_channels("e16, m4")
    yield f"vwadd.wv v0, v0, v{PRODUCTS}"
    yield f"vwadd.wv v8, v8, v{PRODUCTS + 4}"


def load_words(pointer: str, registers: tuple[int, int]) -> Iterator[str]:
    """Yield the loads of 32 bits for each channel of the block."""
    first, second = registers
    yield "vsetvli t2, zero, e32, m8, ta, ma"
    yield "bleu t2, t0, 9f"
    yield "mv t2, t0"
    yield "9:"
    yield "vsetvli zero, t2, e32, m8, ta, ma"
    yield f"vle32.v v{first}, ({{{pointer}}})"
    yield "sub t3, t0, t2"
    yield "slli t2, t2, 2"
    yield f"add t2, t2, {{{pointer}}}"
    yield "vsetvli zero, t3, e32, m8, ta, ma"
    yield f"vle32.v v{second}, (t2)"


def narrow_halves() -> Iterator[str]:
    """Yield the saturation of the sums to 16 bits, the halves of the block side by side."""
    yield all_channels("e16, m4")
    yield f"vnclip.wi v{PRODUCTS}, v0, 0"
    yield f"vnclip.wi v{PRODUCTS + 4}, v8, 0"


def store_narrowed() -> Iterator[str]:
    """Yield the saturation of the sums to bytes, and the store."""
    yield from narrow_halves()
    yield block_channels()
    yield f"vnclip.wi v24, v{PRODUCTS}, 0"
    yield "vse8.v v24, ({result})"
