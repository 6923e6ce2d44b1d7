"""Upper bounds of the index expressions in a kernel's loops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tvm_embbert import compat


class Bounds:
    """Upper bounds of index expressions, given the sizes of symbolic dimensions by name."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._sizes = sizes
        self._loops: dict[Any, int] = {}

    def enter(self, variable: Any, start: Any, extent: Any) -> int:
        """Note the range of a loop's variable; returns the greatest extent of the loop."""
        greatest = self.greatest(extent)
        self._loops[variable] = self.greatest(start) + max(0, greatest - 1)
        return greatest

    def greatest(self, expr: Any) -> int:
        """Return an upper bound of an expression."""
        return compat.greatest_value(expr, self._of)

    def _of(self, variable: Any) -> int:
        return self._loops.get(variable, self._sizes.get(compat.var_name(variable), 0))
