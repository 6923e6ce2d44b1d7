"""The C of a program that holds candidates: it runs one that is asked for, and compares.

The program poses as a model, so that everything that can run a model can run it. Its ids are the
number of a candidate and a phase of :mod:`tvm_embbert.tune.bench`: PREPARE fills the memory, RUN
runs the kernel alone, CHECK compares every byte of the result and of the margins around what may be
written; logit 0 is then 1 if any differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tvm_embbert.codegen.library import ARITHMETIC
from tvm_embbert.codegen.names import Names
from tvm_embbert.codegen.sources import print_kernels
from tvm_embbert.measure.sources import RUNTIME
from tvm_embbert.strategy.knobs import OPTIMIZE
from tvm_embbert.tune.bench import NAME, kernel_file
from tvm_embbert.tune.bench_text import MARGIN, Blob, header, memory, stride
from tvm_embbert.tune.candidate import Candidate

BLOB = "blob.bin"
_NAMES = Names(NAME)


def bench_files(candidates: Sequence[Candidate]) -> dict[str, bytes]:
    """Return the program's files by their names, the candidates in the order of their numbers."""
    writer = _Writer()
    for candidate in candidates:
        writer.add(candidate)
    internal = "".join(f"{p};\n" for p in writer.prototypes())
    texts = {
        f"{_NAMES.prefix}.h": header(outputs=1),
        f"{_NAMES.prefix}_internal.h": f"#include <stdint.h>\n{internal}",
        ARITHMETIC: (RUNTIME / "include" / ARITHMETIC).read_text("utf-8"),
        **writer.kernel_files(),
        "bench.c": writer.text(),
    }
    return {**{n: text.encode("utf-8") for n, text in texts.items()}, BLOB: bytes(writer.blob.data)}


@dataclass
class _Writer:
    blob: Blob = field(default_factory=Blob)
    _candidates: list[Candidate] = field(default_factory=list)
    _calls: list[str] = field(default_factory=list)
    _cases: list[str] = field(default_factory=list)
    _ram: int = MARGIN

    def add(self, candidate: Candidate) -> None:
        """Add a candidate: its values to the blob, and the code that calls it."""
        number = len(self._candidates)
        self._candidates.append(candidate)
        copies, values, offset = [], [], MARGIN
        for argument in candidate.arguments():
            if not isinstance(argument.value, np.ndarray):
                values.append(str(argument.value))
                continue
            place, size = self.blob.add(argument.value), argument.value.nbytes
            if argument.constant:
                values.append(f"(const void *)(blob + {place})")
                continue
            # Inputs are read from RAM, as they will be.
            copies.append(f"  memcpy(ram + {offset}, blob + {place}, {size});\n")
            values.append(f"(const void *)(ram + {offset})")
            offset += stride(size)
        offset, written = self._memory(candidate, offset, values)
        values += [str(d) for d in candidate.dims()]
        self._calls.append(_CALL.format(n=number, copies="".join(copies), call=", ".join(values)))
        self._cases.append(self._case(number, candidate, written))
        self._ram = max(self._ram, offset)

    def _memory(self, candidate: Candidate, offset: int, values: list[str]) -> tuple[int, int]:
        result = offset
        for size in candidate.written():
            values.append(f"(void *)(ram + {offset})")
            offset += stride(size)
        return offset, result

    def _case(self, number: int, candidate: Candidate, result: int) -> str:
        expected = candidate.expected
        place, size = self.blob.add(expected), expected.nbytes
        return f"{{prepare_{number}, run_{number}, ram + {result}, blob + {place}, {size}}}"

    def kernel_files(self) -> dict[str, str]:
        """Return the kernels' sources, each its own: what is inlined must not depend on others."""
        return {kernel_file(n): _printed(n, c) for n, c in enumerate(self._candidates)}

    def prototypes(self) -> list[str]:
        """Return the kernels' prototypes."""
        numbered = enumerate(self._candidates)
        return [c.function.prototype(_NAMES.symbol(f"kernel_{n}")) for n, c in numbered]

    def text(self) -> str:
        """Return the program around the kernels."""
        head = _INCLUDES + memory(BLOB, self._ram)
        table = ",\n  ".join(self._cases)
        tail = _EPILOGUE.format(cases=table)
        return head + "".join(self._calls) + tail


def _printed(number: int, candidate: Candidate) -> str:
    called = {i.name: i for i in candidate.kernel.intrinsics}
    level = candidate.kernel.optimize
    at = "" if level == OPTIMIZE.default else level
    return print_kernels(_NAMES, {f"kernel_{number}": candidate.function}, called, at)


_INCLUDES = """\
#include "tvmgen_bench.h"
#include "tvmgen_bench_internal.h"
"""

_CALL = """\
static void prepare_{n}(void) {{
{copies}}}
static void run_{n}(void) {{
  tvmgen_bench_kernel_{n}({call});
}}
"""

_EPILOGUE = """\
struct bench_case {{
  void (*prepare)(void);
  void (*run)(void);
  const uint8_t *result, *expected;
  uint32_t size;
}};
static const struct bench_case cases[] = {{
  {cases}
}};

int32_t tvmgen_bench_infer(const int32_t *ids, int32_t length, int16_t *logits, void *sram,
    size_t sram_size) {{
  (void)length, (void)sram, (void)sram_size;
  const struct bench_case *const c = &cases[ids[0]];
  if (ids[1] == 1) {{
    c->run();
  }} else if (ids[1] == 0) {{
    fill();
    c->prepare();
  }} else {{
    logits[0] = (int16_t)differs(c->result, c->expected, c->size);
  }}
  return 0;
}}
"""
