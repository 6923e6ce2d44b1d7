"""What programs that run kernels on given values have in common: their memory and its checks.

Such a program poses as a model called ``bench``. Its values lie in a blob; its kernels write to
RAM that was filled before, and what lies around a result must still be what it was filled with.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tvm_embbert.strategy.operator import Array

ALIGNMENT, MARGIN, FILL = 16, 32, 0x5A


@dataclass
class Blob:
    """Bytes of arrays, each content once, and where they begin, aligned."""

    data: bytearray = field(default_factory=bytearray)
    places: dict[bytes, int] = field(default_factory=dict)

    def add(self, array: Array) -> int:
        """Return where an array's values lie."""
        content = np.ascontiguousarray(array).tobytes()
        if content not in self.places:
            self.data += bytes(-len(self.data) % ALIGNMENT)
            self.places[content] = len(self.data)
            # Kernels may be trusted to read what they are given, and not a byte more.
            self.data += content
        return self.places[content]


def stride(size: int) -> int:
    """Return the bytes of RAM of something of some bytes, with the margin behind it."""
    return -(-size // ALIGNMENT) * ALIGNMENT + MARGIN


def header(outputs: int) -> str:
    """Return the text of ``tvmgen_bench.h``: two ids, some logits."""
    return _HEADER.format(outputs=outputs)


def memory(blob: str, ram: int) -> str:
    """Return C of the blob of a file, of `ram` bytes, and of what checks the margins."""
    return _MEMORY.format(blob=blob, ram=ram, margin=MARGIN, fill=FILL, step=ALIGNMENT)


_HEADER = """\
#ifndef TVMGEN_BENCH_H
#define TVMGEN_BENCH_H
#include <stddef.h>
#include <stdint.h>
#define TVMGEN_BENCH_MAX_LENGTH 2
#define TVMGEN_BENCH_NUM_OUTPUTS {outputs}
#define TVMGEN_BENCH_SRAM_WORKSPACE_POOL_SIZE 16
#define TVMGEN_BENCH_WORKSPACE_POOL_SIZE TVMGEN_BENCH_SRAM_WORKSPACE_POOL_SIZE
#define TVMGEN_BENCH_WORKSPACE_POOL_ALIGNMENT 16
#define TVMGEN_BENCH_WORKSPACE_POOLS(POOL) POOL(sram, TVMGEN_BENCH_SRAM_WORKSPACE_POOL_SIZE)
int32_t tvmgen_bench_infer(const int32_t *ids, int32_t length, int16_t *logits, void *sram,
    size_t sram_size);
#endif
"""

_MEMORY = """\
#include <string.h>

__asm__(".section .rodata.blob, \\"a\\"\\n.balign 16\\n.global blob\\nblob:\\n"
        ".incbin \\"{blob}\\"\\n.text\\n");
extern const uint8_t blob[];
static uint8_t ram[{ram}] __attribute__((aligned(16)));

static void fill(void) {{
  memset(ram, {fill}, sizeof(ram));
}}

/* Whether any byte of a result, or of the margins around it, is not what it should be. */
static int differs(const uint8_t *result, const uint8_t *expected, uint32_t size) {{
  const uint8_t *const behind = result + ((size + {step}u - 1u) & ~({step}u - 1u));
  if (memcmp(result, expected, size) != 0) {{
    return 1;
  }}
  for (uint32_t i = 0; i < {margin}u; ++i) {{
    if (result[(int32_t)i - {margin}] != {fill} || behind[i] != {fill}) {{
      return 1;
    }}
  }}
  return 0;
}}

"""
