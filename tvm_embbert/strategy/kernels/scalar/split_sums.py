"""Split sums: products of both rows, two by two, whose upper halves are summed apart.

A bias makes both halves of a word positive, so that a shift alone takes the upper one. The words
are summed whole, too: less the upper halves' sum that is row 0's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tvm_embbert.strategy.kernels.scalar.form import Block, filled

if TYPE_CHECKING:
    from tvm_embbert.strategy.kernels.scalar.sums import Walk

BIAS = 32512
"""Two products of int8 are -32512 to 32768: with this 0 to 65280."""


def split_sums(name: str, block: Block, walk: Walk) -> str:
    """Return the C function; see :func:`tvm_embbert.strategy.kernels.scalar.sums.sums`."""
    places = [(c, p) for c in range(block.outputs) for p in range(block.words)]
    fields = {
        "NAME": name,
        "DECLARED": ", ".join(f"s{c}{p} = 0, h{c}{p} = 0" for c, p in places),
        "TURN": "".join(_pair(block, walk, (k, k + 1)) for k in range(0, block.unroll, 2)),
        "STEP": _pair(block, walk, (0,)),
        "WORD": walk.word,
        "BYTES": walk.step,
        "UNROLL": block.unroll,
        "BIAS": BIAS,
        "STORED": "".join(
            f"  {name}_part(s{c}{p}, h{c}{p}, pairs, sums + {c * block.rows + 2 * p});\n"
            for c, p in places
        ),
    }
    return filled(PART + _C, fields)


def _pair(block: Block, walk: Walk, steps: tuple[int, ...]) -> str:
    """Return statements for two steps, or one."""
    lines = [
        f"const uint32_t {'vu'[n]}{c} = (uint32_t)w[{k * walk.step + c * walk.output}];"
        for c in range(block.outputs)
        for n, k in enumerate(steps)
    ]
    for p in range(block.words):
        lines += [
            f"const uint32_t {'ab'[n]}{p} = (uint32_t)x[{k * walk.word + p * walk.pair}];"
            for n, k in enumerate(steps)
        ]
        lines += [_product(c, p, len(steps)) for c in range(block.outputs)]
    return "    {\n" + "".join(f"      {line}\n" for line in lines) + "    }\n"


def _product(c: int, p: int, steps: int) -> str:
    second = f" + b{p} * u{c}" if steps == 2 else ""
    both = f"const uint32_t t{c}{p} = a{p} * v{c}{second} + bias;"
    return f"{both} s{c}{p} += t{c}{p}, h{c}{p} += t{c}{p} >> 16;"


PART = """
static inline void @NAME@_part(uint32_t whole, uint32_t upper, uint32_t pairs, int32_t *sums) {
  const uint32_t row1 = upper - @BIAS@u * pairs;
  sums[0] = (int32_t)(whole - @BIAS@u * 65537u * pairs - (row1 << 16));
  sums[1] = (int32_t)row1;
}
"""

_C = """
static inline void @NAME@(const int32_t *x, const int8_t *w, int32_t steps, int32_t *sums) {
  const int32_t rest = steps & (@UNROLL@ - 1), turns = steps - rest;
  const uint32_t pairs = (uint32_t)(turns / 2 + rest);
  const uint32_t bias = @BIAS@u * 65537u;
  uint32_t @DECLARED@;
  for (const int32_t *const end = x + @WORD@ * turns; x != end;) {
@TURN@    x += @WORD@ * @UNROLL@;
    w += @BYTES@ * @UNROLL@;
  }
  for (const int32_t *const end = x + @WORD@ * rest; x != end;) {
@STEP@    x += @WORD@;
    w += @BYTES@;
  }
@STORED@}
"""
