"""Kernels run on an emulated board: a program that holds cases and expected results, and compares.

The program poses as a model: its ids are the first case and how many, its logits the number of
wrong results, the first wrong case and the number of cases that it compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from bench_levels import INTERNAL, Level, write_levels
from kernel_bench import Case

from tvm_embbert.codegen.c_printer import CFunction, print_c
from tvm_embbert.codegen.library import ARITHMETIC
from tvm_embbert.measure import ModelSources, build_image, open_session
from tvm_embbert.program.lower_tir import lower_tir
from tvm_embbert.strategy.kernels.intrinsic import Intrinsic
from tvm_embbert.strategy.knobs import OPTIMIZE, Config
from tvm_embbert.strategy.operator import Implementation, Kernel, Tensor
from tvm_embbert.target import Target
from tvm_embbert.tune.bench_text import ALIGNMENT, MARGIN, Blob, header, memory, stride

RAM = 512 * 1024
BATCH = 64


class EmulatedBench:
    """Collects cases, builds an image and runs them."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._functions: dict[CFunction, str] = {}
        self._intrinsics: dict[str, Intrinsic] = {}
        self._levels: dict[str, Level] = {}
        self._blob = Blob()
        self._cases: list[str] = []
        self.labels: list[str] = []

    @property
    def data_bytes(self) -> int:
        """Bytes of all arrays so far, which the image must hold."""
        return len(self._blob.data)

    def add(self, implementation: Implementation, case: Case, chosen: Config | None = None) -> None:
        """Add a case, to be computed by an implementation that takes it, with values of knobs."""
        kernel = implementation.build(case.call, chosen)
        called = {i.name: i for i in kernel.intrinsics}
        printed = print_c(lower_tir(kernel.prim_func), not kernel.in_place, called)
        name = self._named(printed, called, kernel.optimize)
        self._cases.append(self._case(name, printed, kernel, case))
        self.labels.append(f"{implementation.name}: {case.label}, {dict(chosen or {})}")

    def _named(self, printed: CFunction, called: dict[str, Intrinsic], level: str) -> str:
        """Return the kernel's name in C; those of another level than the default have a file."""
        if level == OPTIMIZE.default:
            self._intrinsics.update(called)
            return self._functions.setdefault(printed, f"kernel_{len(self._functions)}")
        unit = self._levels.setdefault(level, Level(level))
        unit.intrinsics.update(called)
        return unit.add(printed)

    def add_intrinsic(
        self, intrinsic: Intrinsic, arrays: Sequence[Any], dims: dict[str, int]
    ) -> None:
        """Add a call of an intrinsic, to be compared with its meaning in all that it writes.

        Parameters
        ----------
        intrinsic : Intrinsic
            The function.
        arrays : sequence
            For each parameter what it points to at first, or its number.
        dims : dict
            Symbolic dimensions of the meaning by name.
        """
        self._intrinsics[intrinsic.name] = intrinsic
        printed = print_c(lower_tir(intrinsic.meaning), restrict=False)
        meaning = self._functions.setdefault(printed, f"kernel_{len(self._functions)}")
        values, copies, compared = self._pointers(intrinsic, arrays)
        numbers = [str(dims[d]) for d in intrinsic.dims]
        calls = [(intrinsic.name, 0, numbers), (meaning, 1, [str(dims[d]) for d in printed.dims])]
        lines = [
            f"{name}({', '.join([*(v[which] for v in values), *tail])});"
            for name, which, tail in calls
        ]
        body = "\n  ".join(
            [*copies, *lines, f"ram[{MARGIN}] = (uint8_t)({' || '.join(compared)});"]
        )
        number, place = len(self._cases), self._blob.add(np.zeros(1, np.uint8))
        self._cases.append(
            f"static void call_case_{number}(const union value *v) {{\n  (void)v;\n  {body}\n}}\n"
            f"#define CASE_{number} {{call_case_{number}, 0, blob + {place}, 1}}\n"
        )
        self.labels.append(f"{intrinsic.name}, {dims}")

    def _pointers(
        self, intrinsic: Intrinsic, arrays: Sequence[Any]
    ) -> tuple[list[tuple[str, str]], list[str], list[str]]:
        """Return the arguments of both functions, copies to make first, and comparisons after.

        What is written has a margin on either side, which is compared as well.
        """
        values: list[tuple[str, str]] = []
        copies: list[str] = []
        compared: list[str] = []
        offset = 1024
        for position, array in enumerate(arrays):
            if not isinstance(array, np.ndarray):
                values.append((str(array), str(array)))
                continue
            place, size = self._blob.add(array), array.nbytes
            if position not in intrinsic.writes:
                values.append((f"(const void *)(blob + {place})",) * 2)
                continue
            step = -(-size // ALIGNMENT) * ALIGNMENT + 2 * MARGIN
            both = (offset + MARGIN, offset + step + MARGIN)
            copies += [f"memcpy(ram + {o}, blob + {place}, {size});" for o in both]
            values.append((f"(void *)(ram + {both[0]})", f"(void *)(ram + {both[1]})"))
            compared.append(f"memcmp(ram + {offset}, ram + {offset + step}, {step}) != 0")
            offset += 2 * step
        assert offset < RAM
        assert compared
        return values, copies, compared

    def failures(self, folder: Path) -> list[str]:
        """Build and run; returns the labels of the wrong cases, the first of each batch."""
        image = build_image(self._sources(folder), self._target, folder / "image", stack_size=8192)
        wrong, compared = [], 0
        with open_session(image) as session:
            for first in range(0, len(self._cases), BATCH):
                answer = session.infer([first, min(BATCH, len(self._cases) - first)])
                assert answer.code == 0
                compared += int(answer.logits[2])
                if answer.logits[0]:
                    wrong.append(f"{answer.logits[0]} of a batch: {self.labels[answer.logits[1]]}")
        assert compared == len(self._cases), f"{compared} of {len(self._cases)} cases were run"
        return wrong

    def _case(self, name: str, printed: CFunction, kernel: Kernel, case: Case) -> str:
        values: list[str] = []
        for value, declared in zip(case.args, case.call.args, strict=True):
            if isinstance(declared, Tensor):
                values.append(self._constant(value))
        values += [self._constant(c) for c in kernel.constants]
        values += [f"{{.number = INT64_C({s})}}" for s in kernel.scalars]
        expected = case.expected()
        offset = MARGIN
        for shape, dtype in [(expected.shape, expected.dtype), *_scratch(kernel, case)]:
            values.append(f"{{.pointer = ram + {offset}}}")
            size = int(np.prod(shape)) * np.dtype(dtype).itemsize
            offset += stride(size)
        assert offset < RAM, case.label
        dims = {"rows": case.rows, "before": 0, **_resolved(kernel, case)}
        values += [f"{{.number = {dims[d]}}}" for d in printed.dims]
        number, place = len(self._cases), self._blob.add(expected)
        joined = ", ".join(values)
        return (
            f"static const union value values_{number}[] = {{{joined}}};\n"
            f"/* {case.label} */\n#define CASE_{number} "
            f"{{call_{name}, values_{number}, blob + {place}, {expected.nbytes}}}\n"
        )

    def _constant(self, array: Any) -> str:
        return f"{{.pointer = (void *)(blob + {self._blob.add(np.asarray(array))})}}"

    def _sources(self, folder: Path) -> ModelSources:
        (folder / "include").mkdir()
        (folder / "include" / "tvmgen_bench.h").write_text(header(outputs=3))
        blob = folder / "cases.bin"
        blob.write_bytes(bytes(self._blob.data))
        headers = dict.fromkeys(h for i in self._intrinsics.values() for h in i.headers)
        parts = [f"#include <{h}>\n" for h in headers]
        parts += [f'#include "{ARITHMETIC}"\n#include "{INTERNAL}"\n']
        parts += ['#include "tvmgen_bench.h"\n', memory(str(blob), RAM), _PROLOGUE]
        parts += [f"{i.c}\n" for i in self._intrinsics.values()]
        for printed, name in self._functions.items():
            parts += ["static ", printed.definition(name), _trampoline(name, printed)]
        parts += [_trampoline(n, f) for unit in self._levels.values() for f, n in unit.named()]
        parts += self._cases
        listed = ",\n".join(f"CASE_{i}" for i in range(len(self._cases)))
        parts.append(f"static const struct test_case cases[] = {{{listed}}};\n")
        parts.append(_EPILOGUE.format(margin=MARGIN))
        source = folder / "bench.c"
        source.write_text("".join(parts))
        others = write_levels(self._levels, folder)
        return ModelSources("bench", (source, *others), folder / "include")


def _scratch(kernel: Kernel, case: Case) -> list[tuple[tuple[int, ...], str]]:
    """Return shape and type of the scratch, each symbolic dimension resolved."""
    made = []
    for s in kernel.scratch:
        first, *others = (case.sizes[d] if isinstance(d, str) else d for d in s.shape)
        made.append(((-(-first // s.multiple) * s.multiple, *others), s.dtype))
    return made


def _resolved(kernel: Kernel, case: Case) -> dict[str, int]:
    return {n: case.sizes[d] if isinstance(d, str) else d for n, d in kernel.dims.items()}


def _trampoline(name: str, printed: CFunction) -> str:
    arguments = []
    for index, parameter in enumerate(printed.parameters):
        kind = parameter.rpartition(" ")[0].replace("restrict", "").strip()
        member = "pointer" if "*" in parameter else "number"
        cast = f"({kind} *)" if "*" in parameter and not kind.endswith("*") else f"({kind})"
        arguments.append(f"{cast}v[{index}].{member}")
    head = f"static inline void call_{name}(const union value *v)"
    return f"{head} {{ {name}({', '.join(arguments)}); }}\n"


_PROLOGUE = """\
union value {
  void *pointer;
  int64_t number;
};
struct test_case {
  void (*call)(const union value *);
  const union value *values;
  const uint8_t *expected;
  uint32_t size;
};
"""

_EPILOGUE = """\

static int is_wrong(const struct test_case *c) {{
  fill();
  c->call(c->values);
  return differs(ram + {margin}, c->expected, c->size);
}}

int32_t tvmgen_bench_infer(const int32_t *ids, int32_t length, int16_t *logits, void *sram,
    size_t sram_size) {{
  (void)length, (void)sram, (void)sram_size;
  for (int32_t i = ids[0]; i < ids[0] + ids[1]; ++i, ++logits[2]) {{
    if (is_wrong(&cases[i]) && logits[0]++ == 0) {{
      logits[1] = (int16_t)i;
    }}
  }}
  return 0;
}}
"""
