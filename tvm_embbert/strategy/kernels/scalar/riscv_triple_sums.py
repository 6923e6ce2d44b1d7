"""Triple sums in assembly for RV32IM: two products of 32 bits serve three rows.

Three rows ``a, b, c`` make two words, ``a + b * 2**21`` and ``c + b * 2**10``. Sums of products of
these and weights, modulo ``2**32``, hold the rows' sums ``A, B, C`` as ``A + B * 2**21`` and as
``C + B * 2**10``. While ``A`` and ``C`` are numbers of 21 bits and the second sum does not
overflow, they can be told apart: the first gives ``A`` and the lower 11 bits of ``B``; the second,
less what these bits add to it, gives ``C`` and, 21 bits up, the rest of ``B``. Split sums take two
and a half additions and shifts for each multiplication, these one; for that they must be told apart
every 64 steps, or later where the weights are known to be small enough.

Steps of other places than one behind the other, such as those of keys that count, are told apart
after as many as a further parameter says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tvm_embbert.strategy.kernels.scalar.form import TRIPLE_BITS, Block, filled
from tvm_embbert.strategy.kernels.scalar.riscv import LOOP, REGISTERS, advance, line

if TYPE_CHECKING:
    from tvm_embbert.strategy.kernels.scalar.sums import Walk


def riscv_triple_sums(name: str, block: Block, walk: Walk) -> str:
    """Return the C function; see :func:`tvm_embbert.strategy.kernels.scalar.sums.sums`."""
    sums = [f"s{c}{p}" for c in range(block.outputs) for p in range(block.words)]
    words = [f"a{p}" for p in range(block.words)]
    taken = dict(zip([*sums, *words, "v", "t", "from"], REGISTERS, strict=False))
    fields = {
        "LOOP": LOOP,
        "BEGIN": "".join(line(f"li %[{n}], -1") for n in sums),
        "TURN": "".join(_step(block, walk, k) for k in range(block.unroll))
        + _advance(walk, block.unroll),
        "STEP": _step(block, walk, 0) + _advance(walk, 1),
        "END": "".join(line(f"sw %[{n}], {4 * i}(%[t])") for i, n in enumerate(sums)),
        "CLOBBERED": ", ".join(f'"{r}"' for r in taken.values()),
        "WORD": walk.word,
        "BYTES": "" if walk.placed else f"    w += @REACH@ * {walk.step};\n",
        "UNROLL": block.unroll,
        "COUNT": len(sums),
        "REACH": "reach" if walk.placed else block.reach,
        "REACHES": "int32_t reach, " if walk.placed else "",
        "SET": "+=" if block.reach else "=",
        "CLEARED": "".join(f"  sums[{n}] = 0;\n" for n in range(len(sums) // 2 * 3)),
        "STORED": "".join(map(_stored, range(len(sums) // 2))),
        "UPPER": TRIPLE_BITS,
    }
    text = filled(_C, {"SUMMED": _BY_PARTS if block.reach else _WHOLE} | fields)
    for operand, register in taken.items():
        text = text.replace(f"%[{operand}]", register)
    return filled(text, {"LEFT": 32 - block.bits, "BITS": block.bits, "NAME": name})


def _advance(walk: Walk, steps: int) -> str:
    if walk.placed:
        return line(f"add %[x], %[x], {4 * steps * walk.word}")
    return advance(walk, steps)


def _stored(n: int) -> str:
    return f"    @NAME@_part(found[{2 * n}], found[{2 * n + 1}], sums + {3 * n});\n"


def _step(block: Block, walk: Walk, k: int) -> str:
    """Return the instructions of step k of a turn."""
    base = 4 * k * walk.word
    lines = [f"lw %[a{p}], {base + 4 * p * walk.pair}(%[x])" for p in range(block.words)]
    first, base = ("w", k * walk.step) if not walk.placed else ("from", 0)
    if walk.placed:
        place = 4 * (k * walk.word + block.words)
        lines += [f"lw %[from], {place}(%[x])", "add %[from], %[from], %[w]"]
    for c in range(block.outputs):
        lines.append(f"lb %[v], {base + c * walk.output}(%[{first}])")
        for p in range(block.words):
            lines += [f"mul %[t], %[a{p}], %[v]", f"add %[s{c}{p}], %[s{c}{p}], %[t]"]
    return "".join(map(line, lines))


_WHOLE = """\
  @NAME@_some(x, w, steps, found);
@STORED@"""

_BY_PARTS = """\
@CLEARED@  for (; steps > 0; steps -= @REACH@) {
    @NAME@_some(x, w, te_min(steps, @REACH@), found);
    x += @REACH@ * @WORD@;
@BYTES@@STORED@  }
"""

_C = """
/* Both sums began with -1, so that the rows' are in the middle of what their bits can hold. */
static inline void @NAME@_part(uint32_t first, uint32_t second, int32_t *sums) {
  const int32_t row0 = (int32_t)(first << @LEFT@) >> @LEFT@;
  const uint32_t low = (first - (uint32_t)row0) >> @BITS@;
  const uint32_t rest = second - (low << @UPPER@);
  const int32_t row2 = (int32_t)(rest << @LEFT@) >> @LEFT@;
  const int32_t high = (int32_t)(rest - (uint32_t)row2) >> @BITS@;
  sums[0] @SET@ row0 + 1;
  sums[1] @SET@ (int32_t)(((uint32_t)high << @LEFT@) + low);
  sums[2] @SET@ row2 + 1;
}

static inline void @NAME@_some(const int32_t *x, const int8_t *w, int32_t steps, uint32_t *found) {
  const int32_t *const turns = x + @WORD@ * (steps & ~(@UNROLL@ - 1));
  const int32_t *const end = x + @WORD@ * steps;
@LOOP@}

static inline void @NAME@(const int32_t *x, const int8_t *w, int32_t steps,
    @REACHES@int32_t *sums) {
  uint32_t found[@COUNT@];
@SUMMED@}
"""
