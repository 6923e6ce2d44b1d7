"""Short names for TVM's dataflow patterns, as the operators' files write them."""

from __future__ import annotations

from typing import Any

from tvm.relax.dpl import is_const, is_op, wildcard

Part = Any

__all__ = ["Part", "anything", "constant", "op"]


def op(name: str, *args: Part) -> Part:
    """Match a Relax operator, e.g. ``op("nn.softmax", x)``, on these arguments."""
    return is_op(f"relax.{name}")(*args)


def anything() -> Part:
    """Match any expression."""
    return wildcard()


def constant() -> Part:
    """Match a constant tensor."""
    return is_const()
