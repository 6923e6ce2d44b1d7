"""Intrinsics run on an emulated board beside their meanings, on the same memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from emulated_bench import RAM, EmulatedBench

from tvm_embbert.codegen.c_printer import CFunction, print_c
from tvm_embbert.program.lower_tir import lower_tir
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.target import Target
from tvm_embbert.tune.bench_text import MARGIN, stride

AREA = RAM // 4


class IntrinsicBench(EmulatedBench):
    """Its cases give the byte 0 where an intrinsic left all memory as its meaning does."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._meanings: dict[str, CFunction] = {}
        self._expected = self._blob.add(np.zeros(1, np.uint8))

    def add_intrinsic(
        self, intrinsic: Intrinsic, arrays: Sequence[Any], dims: Mapping[str, int]
    ) -> None:
        """Add a call; `arrays` has a number in the place of each scalar."""
        self._intrinsics[intrinsic.name] = intrinsic
        meaning = self._meanings.setdefault(
            intrinsic.name, print_c(lower_tir(intrinsic.meaning), restrict=False)
        )
        assert set(meaning.dims) <= set(intrinsic.dims)
        number = len(self._cases)
        name = f"{intrinsic.name}_meaning"
        ours = self._call(intrinsic.name, arrays, [dims[d] for d in intrinsic.dims], "a")
        theirs = self._call(name, arrays, [dims[d] for d in meaning.dims], "b")
        definition = f"static {meaning.definition(name)}"
        self._cases.append(
            f"{'' if self._is_defined(definition) else definition}"
            f"static void check_{number}(const union value *v) {{\n"
            f"  uint8_t *a = ram + {AREA}, *b = ram + {2 * AREA};\n  (void)v;\n"
            f"{self._copies(arrays)}  {ours};\n  {theirs};\n"
            f"  ram[{MARGIN}] = (uint8_t)(memcmp(a, b, {AREA}) != 0);\n}}\n"
            f"#define CASE_{number} {{check_{number}, 0, blob + {self._expected}, 1}}\n"
        )
        self.labels.append(f"{intrinsic.name}, call {number}, {dict(dims)}")

    def _is_defined(self, definition: str) -> bool:
        return any(definition in case for case in self._cases)

    def _copies(self, arrays: Sequence[Any]) -> str:
        return "".join(
            f"  memcpy({area} + {offset}, blob + {self._blob.add(array)}, {array.nbytes});\n"
            for area in "ab"
            for array, offset in _placed(arrays)
        )

    def _call(self, name: str, arrays: Sequence[Any], dims: Sequence[int], area: str) -> str:
        offsets = iter(offset for _, offset in _placed(arrays))
        values = [
            f"(void *)({area} + {next(offsets)})" if isinstance(a, np.ndarray) else str(a)
            for a in arrays
        ]
        return f"{name}({', '.join([*values, *map(str, dims)])})"


def _placed(arrays: Sequence[Any]) -> list[tuple[np.ndarray, int]]:
    """Return the arrays with their places, margins between them."""
    placed, offset = [], MARGIN
    for array in arrays:
        if isinstance(array, np.ndarray):
            placed.append((array, offset))
            offset += stride(array.nbytes)
    assert offset <= AREA
    return placed
